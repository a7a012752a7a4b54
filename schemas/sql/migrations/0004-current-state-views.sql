-- Current state of what callbacks tell beside persons and subscriptions, as views over the log
-- depends: 0003-person-sync

-- migrate: apply

-- The four types left out make up nearly all of the log and are not read by these views: they pay nothing for it.
CREATE INDEX callback_events_other_types ON callback_events (callback_type, company_key)
    WHERE callback_type NOT IN ('subscription_added', 'subscription_removed', 'person_added', 'person_updated');

CREATE FUNCTION read_text(value jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE jsonb_typeof(value)
        WHEN 'string' THEN nullif(
            btrim(
                value #>> '{}',
                U&'\0009\000A\000B\000C\000D\001C\001D\001E\001F\0020\0085\00A0\1680\2000\2001\2002\2003\2004'
                '\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000'
            ),
            ''
        )
        WHEN 'number' THEN substring(value #>> '{}' FROM '^-?[0-9]+$')
    END;
COMMENT ON FUNCTION read_text IS
    'An id or another short text: a string that is not blank, trimmed, or a whole number''s digits; else NULL. '
    'schemas.values.read_text reads the same.';

-- Made without a cast from text, which may depend on the session. The pattern keeps out whatever make_timestamp would
-- raise an error for, but for the length of the month and the year 0. It has no groups to take the parts from: that is
-- ten times slower than cutting them out.
CREATE FUNCTION read_timestamp(value text) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    blanks CONSTANT text :=
        U&'\0009\000A\000B\000C\000D\001C\001D\001E\001F\0020\0085\00A0\1680\2000\2001\2002\2003\2004'
        '\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000';
    told text := btrim(value, blanks);
    year_ integer;
    month_ integer;
    day_ integer;
    sign_at integer;
    ahead interval := interval '0';
    clock text[];
    moment timestamp;
BEGIN
    IF length(value) > 64 OR told COLLATE "C" !~ (
        '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
        '([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?([.,][0-9]{1,9})?)?'
        '[' || blanks || ']*([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?$'
    ) THEN
        RETURN NULL;
    END IF;

    year_ := left(told, 4);
    month_ := substr(told, 6, 2);
    day_ := substr(told, 9, 2);
    IF year_ = 0 OR day_ > 28 AND day_ > extract(day FROM make_date(year_, month_, 1) + interval '1 month - 1 day') THEN
        RETURN NULL;
    END IF;

    told := substr(told, 11);
    sign_at := strpos(translate(told, '-', '+'), '+');
    IF sign_at > 0 THEN
        ahead := substr(told, sign_at, 3)::integer * interval '1 hour'
            + (substr(told, sign_at, 1) || right(told, 2))::integer * interval '1 minute';
        told := left(told, sign_at - 1);
    END IF;

    clock := string_to_array(translate(rtrim(substr(told, 2), 'Zz' || blanks), ',', '.'), ':');
    moment := make_timestamp(
        year_,
        month_,
        day_,
        coalesce(clock[1]::integer, 0),
        coalesce(left(clock[2], 2)::integer, 0),
        -- Two digits, a point, six digits; a fraction right after the minutes is one of a second, too.
        coalesce(left(coalesce(clock[3], '00' || substr(clock[2], 3)), 9)::double precision, 0)
    ) - ahead;
    IF moment < timestamp '0001-01-01' OR moment >= timestamp '10000-01-01' THEN
        RETURN NULL;
    END IF;
    RETURN moment AT TIME ZONE 'UTC';
END;
$$;
COMMENT ON FUNCTION read_timestamp IS
    'A moment in any of the spellings Vibes uses: offset with or without a colon, Z in either case, no seconds, '
    'fractions (cut at microseconds), a blank for the T, a date alone (midnight). Without an offset it is UTC. NULL '
    'when it is none of them, or outside the years 1 to 9999. schemas.values.read_timestamp reads the same.';

CREATE FUNCTION keep_last(anyelement, anyelement) RETURNS anyelement
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT $2';
COMMENT ON FUNCTION keep_last IS 'The step of aggregate last_told.';

CREATE AGGREGATE last_told(anyelement) (SFUNC = keep_last, STYPE = anyelement, PARALLEL = SAFE);
COMMENT ON AGGREGATE last_told(anyelement) IS
    'The last value that is not NULL. Use it with ORDER BY: last_told(name ORDER BY place).';

-- Order of events, everywhere below: event_date (undated first), what is said beside the view, event_id, type, body.
-- Never received_at: deliveries come in any order. Never delivery_attempt: it is another one in each delivery.

CREATE VIEW identified_events AS
SELECT
    e.company_key,
    e.callback_type,
    e.event_id,
    e.event_date,
    coalesce(by_key.person_uid, by_id.person_uid) AS person_uid,
    e.person_id,
    e.person_key,
    e.external_person_id,
    coalesce(
        'person_uid ' || coalesce(by_key.person_uid, by_id.person_uid),
        'person_key ' || e.person_key,
        'person_id ' || e.person_id,
        'external_person_id ' || e.external_person_id
    ) AS person_ref,
    e.list_id,
    e.reason,
    e.payload
FROM callback_events AS e
LEFT JOIN person_identities AS by_key
    ON (by_key.company_key, by_key.kind, by_key.value) = (e.company_key, 'person_key', e.person_key)
LEFT JOIN person_identities AS by_id
    ON (by_id.company_key, by_id.kind, by_id.value) = (e.company_key, 'person_id', e.person_id);

COMMENT ON VIEW identified_events IS
    'The log (callback_events), and which person each event is about. The views of current state are made from it.';
COMMENT ON COLUMN identified_events.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN identified_events.callback_type IS 'One of Vibes'' 17 types.';
COMMENT ON COLUMN identified_events.event_id IS 'Vibes'' id of the event; unique per company and type at best.';
COMMENT ON COLUMN identified_events.event_date IS 'When the event occurred, says Vibes.';
COMMENT ON COLUMN identified_events.person_uid IS
    'The person: persons.person_uid. NULL: about no person, or one that no person or subscription event told of yet.';
COMMENT ON COLUMN identified_events.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN identified_events.person_key IS 'Vibes'' canonical key of the person, as text.';
COMMENT ON COLUMN identified_events.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN identified_events.person_ref IS
    'Equal for events about one person: made of person_uid, else of the best id there is. NULL: about no person.';
COMMENT ON COLUMN identified_events.list_id IS 'The subscription list the event is about.';
COMMENT ON COLUMN identified_events.reason IS 'Opt-out reason, status of a participation, or status_reason, as told.';
COMMENT ON COLUMN identified_events.payload IS 'The whole body.';

-- Last is: anything but PENDING, then the latest, then REJECTED (in doubt there is no consent).
CREATE VIEW participations AS
SELECT
    company_key,
    last_told(person_uid ORDER BY place) AS person_uid,
    last_told(person_id ORDER BY place) AS person_id,
    last_told(person_key ORDER BY place) AS person_key,
    last_told(external_person_id ORDER BY place) AS external_person_id,
    last_told(mdn ORDER BY place) AS mdn,
    campaign_id,
    last_told(campaign_url ORDER BY place) AS campaign_url,
    last_told(campaign_description ORDER BY place) AS campaign_description,
    last_told(keyword ORDER BY place) AS keyword,
    last_told(list_id ORDER BY place) AS list_id,
    participation_date,
    last_told(expire_date ORDER BY place) AS expire_date,
    last_told(status ORDER BY place) AS status,
    coalesce(
        upper(last_told(status ORDER BY place)) = 'PENDING' AND last_told(expire_date ORDER BY place) <= now(), false
    ) AS expired,
    last_told(event_date ORDER BY place) AS event_date,
    last_told(event_id ORDER BY place) AS event_id
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY company_key, person_ref, campaign_id, participation_date
            ORDER BY
                status IS NOT NULL,
                upper(status) IS DISTINCT FROM 'PENDING',
                event_date NULLS FIRST,
                upper(status) = 'REJECTED' NULLS FIRST,
                event_id COLLATE "C",
                callback_type COLLATE "C",
                payload - 'delivery_attempt'
        ) AS place
    FROM (
        SELECT
            *,
            reason AS status,
            read_text(payload #> '{participant,person,mobile_phone,mdn}') AS mdn,
            read_text(payload #> '{participant,acquisition_campaign,id}') AS campaign_id,
            read_text(payload #> '{participant,acquisition_campaign,url}') AS campaign_url,
            read_text(payload #> '{participant,acquisition_campaign,description}') AS campaign_description,
            read_text(payload #> '{participant,acquisition_campaign,keyword}') AS keyword,
            read_timestamp(payload #>> '{participant,participation_date}') AS participation_date,
            read_timestamp(payload #>> '{participant,expire_date}') AS expire_date
        FROM identified_events
        WHERE callback_type IN (
            'ack_participant_added', 'ack_participant_changed',
            'company_participant_added', 'company_participant_changed'
        )
    ) AS told
    WHERE person_ref IS NOT NULL
) AS placed
GROUP BY company_key, person_ref, campaign_id, participation_date;

COMMENT ON VIEW participations IS
    'One row a sign-up of a person to an acquisition campaign. Not a consent: who is subscribed is in '
    'current_subscriptions. The ack_participant and company_participant types tell the same facts and share a row.';
COMMENT ON COLUMN participations.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN participations.person_uid IS
    'The person: persons.person_uid. NULL: no person or subscription event told of them yet.';
COMMENT ON COLUMN participations.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN participations.person_key IS 'Vibes'' canonical key of the person, where told.';
COMMENT ON COLUMN participations.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN participations.mdn IS 'Mobile number they signed up with, as Vibes wrote it.';
COMMENT ON COLUMN participations.campaign_id IS 'The acquisition campaign''s id, as text.';
COMMENT ON COLUMN participations.campaign_url IS
    'The campaign''s relative URL at Vibes; the id in there may be another than campaign_id.';
COMMENT ON COLUMN participations.campaign_description IS 'The campaign''s name.';
COMMENT ON COLUMN participations.keyword IS 'The keyword they texted; NULL: joined in another way.';
COMMENT ON COLUMN participations.list_id IS 'The list they are to join, where told.';
COMMENT ON COLUMN participations.participation_date IS 'When the sign-up began. NULL: not told.';
COMMENT ON COLUMN participations.expire_date IS 'Until when a PENDING sign-up can be confirmed.';
COMMENT ON COLUMN participations.status IS
    'PENDING: begun, not confirmed; CONFIRMED; REJECTED. Vibes may add values. Vibes tells nothing when a sign-up '
    'expires or is confirmed automatically: it stays PENDING then.';
COMMENT ON COLUMN participations.expired IS 'Whether it is PENDING and its expire_date has passed.';
COMMENT ON COLUMN participations.event_date IS 'Date of the event that told the status.';
COMMENT ON COLUMN participations.event_id IS 'Proof: event_id of that event.';

-- Last is: an event that attaches the device to somebody, the latest of them, else the latest removal.
CREATE VIEW push_devices AS
WITH told AS (
    SELECT
        *,
        callback_type = 'device_removed' AS removal,
        coalesce(event_date, '-infinity') AS at,
        read_text(payload #> '{push_device,vibes_device_id}') AS vibes_device_id,
        read_text(payload #> '{push_device,app_id}') AS app_id,
        coalesce(
            read_text(payload #> '{push_device,device_os}'),
            read_text(payload #> '{push_device,os}'),
            read_text(payload #> '{push_device,OS}')
        ) AS device_os
    FROM identified_events
    WHERE callback_type IN ('device_added', 'device_updated', 'device_removed')
),
holders AS (
    SELECT DISTINCT ON (company_key, vibes_device_id) *
    FROM told
    WHERE vibes_device_id IS NOT NULL
    ORDER BY
        company_key,
        vibes_device_id,
        person_ref IS NULL,
        removal,
        at DESC,
        event_id COLLATE "C" DESC,
        callback_type COLLATE "C" DESC,
        payload - 'delivery_attempt' DESC
),
removals AS (
    SELECT company_key, vibes_device_id, person_ref, max(at) AS at
    FROM told
    WHERE removal
    GROUP BY company_key, vibes_device_id, person_ref
)
SELECT
    holder.company_key,
    holder.vibes_device_id,
    holder.app_id,
    holder.device_os,
    holder.person_uid,
    holder.person_id,
    holder.person_key,
    holder.external_person_id,
    removed.at IS NULL AS attached,
    nullif(removed.at, '-infinity') AS removed_at,
    holder.event_date,
    holder.event_id
FROM holders AS holder
LEFT JOIN removals AS removed
    ON removed.company_key = holder.company_key
    AND removed.vibes_device_id = holder.vibes_device_id
    AND removed.person_ref IS NOT DISTINCT FROM holder.person_ref
    AND removed.at >= holder.at;

COMMENT ON VIEW push_devices IS
    'One row a push device, with the person it belongs to or belonged to last. A move to another person is told by a '
    'removal and an addition in any order, so a removal counts only for the person it names, and against an addition '
    'of the same moment. Push tokens are not shown.';
COMMENT ON COLUMN push_devices.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN push_devices.vibes_device_id IS 'Vibes'' id of the device.';
COMMENT ON COLUMN push_devices.app_id IS 'The app on the device.';
COMMENT ON COLUMN push_devices.device_os IS 'Operating system, e.g. ANDROID.';
COMMENT ON COLUMN push_devices.person_uid IS
    'The person: persons.person_uid. NULL: no person or subscription event told of them yet.';
COMMENT ON COLUMN push_devices.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN push_devices.person_key IS 'Vibes'' canonical key of the person, where told.';
COMMENT ON COLUMN push_devices.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN push_devices.attached IS 'Whether the device belongs to the person now.';
COMMENT ON COLUMN push_devices.removed_at IS 'When it was removed from the person, where it was and that was told.';
COMMENT ON COLUMN push_devices.event_date IS 'Date of the event that told whose it is.';
COMMENT ON COLUMN push_devices.event_id IS 'Proof: event_id of that event.';

-- Last is: the latest; at the same moment a removal.
CREATE VIEW wallet_items AS
SELECT
    company_key,
    item_uuid,
    wallet_instance_uid,
    last_told(wallet_object_uid ORDER BY place) AS wallet_object_uid,
    last_told(wallet_campaign_uid ORDER BY place) AS wallet_campaign_uid,
    last_told(campaign_token ORDER BY place) AS campaign_token,
    last_told(provider ORDER BY place) AS provider,
    last_told(installed ORDER BY place) AS installed,
    last_told(registered_at ORDER BY place) AS registered_at,
    CASE WHEN NOT last_told(installed ORDER BY place)
         THEN last_told(unregistered_at ORDER BY place) END AS unregistered_at,
    last_told(expiration_date ORDER BY place) AS expiration_date,
    max(event_date) AS event_date,
    last_told(event_id ORDER BY place) AS event_id
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY company_key, item_uuid, wallet_instance_uid
            ORDER BY event_date NULLS FIRST, installed DESC, event_id COLLATE "C", payload - 'delivery_attempt'
        ) AS place
    FROM (
        SELECT
            *,
            callback_type = 'wallet_item_install' AS installed,
            read_text(payload #> '{wallet_item,uuid}') AS item_uuid,
            read_text(payload #> '{wallet_item,wallet_object_uid}') AS wallet_object_uid,
            read_timestamp(payload #>> '{wallet_item,expiration_date}') AS expiration_date,
            read_text(payload #> '{wallet_instance,wallet_instance_uid}') AS wallet_instance_uid,
            read_text(payload #> '{wallet_instance,provider}') AS provider,
            read_timestamp(payload #>> '{wallet_instance,registered_at}') AS registered_at,
            read_timestamp(payload #>> '{wallet_instance,unregistered_at}') AS unregistered_at,
            read_text(payload #> '{wallet_campaign,wallet_campaign_uid}') AS wallet_campaign_uid,
            read_text(payload #> '{wallet_campaign,token}') AS campaign_token
        FROM identified_events
        WHERE callback_type IN ('wallet_item_install', 'wallet_item_remove')
    ) AS told
    WHERE item_uuid IS NOT NULL OR wallet_instance_uid IS NOT NULL
) AS placed
GROUP BY company_key, item_uuid, wallet_instance_uid;

COMMENT ON VIEW wallet_items IS
    'One row an installation of a wallet pass. Vibes names no person here. The pass''s tokens, which are personal, are '
    'in the log only.';
COMMENT ON COLUMN wallet_items.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN wallet_items.item_uuid IS 'The pass: the customer''s own text, not always a UUID.';
COMMENT ON COLUMN wallet_items.wallet_instance_uid IS 'The installation of the pass.';
COMMENT ON COLUMN wallet_items.wallet_object_uid IS 'Vibes'' id of the pass.';
COMMENT ON COLUMN wallet_items.wallet_campaign_uid IS 'Vibes'' id of the wallet campaign.';
COMMENT ON COLUMN wallet_items.campaign_token IS 'The campaign''s token, as used in Vibes'' URLs.';
COMMENT ON COLUMN wallet_items.provider IS 'google or apple; Vibes'' API says google_wallet and passbook.';
COMMENT ON COLUMN wallet_items.installed IS 'Whether the pass is installed now.';
COMMENT ON COLUMN wallet_items.registered_at IS 'When it was installed.';
COMMENT ON COLUMN wallet_items.unregistered_at IS 'When it was removed; NULL while it is installed, or where not told.';
COMMENT ON COLUMN wallet_items.expiration_date IS 'When the pass expires.';
COMMENT ON COLUMN wallet_items.event_date IS 'Date of the last event about it.';
COMMENT ON COLUMN wallet_items.event_id IS 'Proof: event_id of that event.';

-- migrate: rollback
DROP VIEW wallet_items, push_devices, participations, identified_events;
DROP AGGREGATE last_told(anyelement);
DROP FUNCTION keep_last(anyelement, anyelement), read_timestamp(text), read_text(jsonb);
DROP INDEX callback_events_other_types;
