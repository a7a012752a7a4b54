-- What the rows of the year have in common. Temporary: of this session, which also has the table `history` (one row).
CREATE FUNCTION pg_temp.person_uid(number bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    RETURN md5('person/' || number)::uuid;

CREATE FUNCTION pg_temp.moment(of history, part double precision) RETURNS timestamptz
    LANGUAGE sql VOLATILE
    RETURN date_trunc('second', (of).began + ((of).ended - (of).began) * part * random());

-- A hundred events a message, all received within a few minutes.
CREATE FUNCTION pg_temp.message_number(received_at timestamptz, of history) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN floor(extract(epoch FROM received_at - (of).began) / 31622400 * (of).events / 100);

CREATE FUNCTION pg_temp.message_id(received_at timestamptz, of history) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    RETURN md5('message/' || pg_temp.message_number(received_at, of))::uuid;

CREATE FUNCTION pg_temp.told(moment timestamptz) RETURNS text
    LANGUAGE sql STABLE
    RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

-- A tenth of the events, in the shares that a company of some size has.
CREATE VIEW pg_temp.others AS
SELECT
    kind AS callback_type,
    'other-' || number AS event_id,
    at,
    CASE WHEN kind LIKE 'ack%' THEN status END AS reason,
    CASE WHEN kind LIKE 'ack%' OR kind LIKE 'device%' THEN person_id END AS person_id,
    CASE WHEN kind LIKE '%list%' THEN 'L' || number % 24 END AS list_id,
    CASE
        WHEN kind LIKE 'ack%' THEN jsonb_build_object('participant', jsonb_build_object(
            'person', jsonb_build_object('id', person_id, 'mobile_phone', jsonb_build_object('mdn', '+13125550000')),
            'acquisition_campaign', jsonb_build_object(
                'id', 'C' || thing % 20, 'description', 'Campaign ' || thing % 20, 'keyword', 'JOIN' || thing % 20
            ),
            'participation_date', pg_temp.told(signed_up),
            'expire_date', pg_temp.told(signed_up + interval '1 day'),
            'status', status
        ))
        WHEN kind LIKE 'device%' THEN jsonb_build_object(
            'person', jsonb_build_object('person_id', person_id),
            'push_device', jsonb_build_object(
                'vibes_device_id', 'device-' || thing, 'app_id', 'app',
                'device_os', (ARRAY['IOS', 'ANDROID'])[1 + thing % 2]
            )
        )
        WHEN kind LIKE 'wallet%' THEN jsonb_build_object(
            'wallet_item', jsonb_build_object('uuid', 'item-' || thing),
            'wallet_instance', jsonb_build_object(
                'wallet_instance_uid', 'instance-' || thing, 'provider', (ARRAY['google', 'apple'])[1 + thing % 2]
            )
        )
        WHEN kind = 'unmatched_message_received' THEN jsonb_build_object(
            'message_id', 'message-' || number,
            'message', (ARRAY['hello', 'when do you open?', 'please stop texting me'])[1 + number % 3],
            'receipt_date', pg_temp.told(at), 'participant', jsonb_build_object('mdn', '+13125550000')
        )
        WHEN kind = 'event_processed' THEN jsonb_build_object('event_processed', jsonb_build_object(
            'event_id', 'submitted-' || thing, 'event_type', 'order_shipped',
            'event_data', jsonb_build_object('person_id', person_id),
            'action', jsonb_build_object(
                'type', (ARRAY['routing', 'carrier_dlr'])[1 + number % 2], 'status', 'delivered'
            )
        ))
        ELSE jsonb_build_object('subscription_list', jsonb_build_object(
            'id', 'L' || number % 24, 'name', 'List ' || number % 24
        ))
    END AS payload
FROM (
    SELECT
        history.*, number, number / 2 AS thing,
        (10000000 + number / 2 % persons)::text AS person_id,
        pg_temp.moment(history, 1) AS at,
        began + (ended - began) * ((number / 2)::double precision / (events / 20 + 1)) AS signed_up,
        (ARRAY['PENDING', 'CONFIRMED'])[1 + number % 2] AS status,
        (ARRAY[
            'ack_participant_added', 'device_added', 'wallet_item_install', 'unmatched_message_received',
            'event_processed',
            'ack_participant_added', 'device_added', 'wallet_item_install', 'event_processed', 'ack_participant_added'
        ])[1 + number / 2 % 10] AS first_kind
    FROM history
    CROSS JOIN generate_series(1, events / 10) AS number
) AS drawn
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN number % 250 = 0 THEN 'subscription_list_updated'
        WHEN number % 2 = 1 AND first_kind = 'ack_participant_added' THEN 'ack_participant_changed'
        WHEN number % 10 = 1 AND first_kind = 'device_added' THEN 'device_removed'
        WHEN number % 6 = 1 AND first_kind = 'wallet_item_install' THEN 'wallet_item_remove'
        ELSE first_kind
    END AS kind
) AS chosen;
