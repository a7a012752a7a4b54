-- Sums and states of what the log alone tells, kept for analysts
-- depends: 0019-retention

-- migrate: apply

-- Callbacks: which messages were applied. Not their events: a trigger on the log would slow down every COPY into it.
CREATE TABLE analytics_store.message_changes (
    message_id  uuid        NOT NULL,
    received_at timestamptz NOT NULL,
    position    integer,
    changed_at  timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX message_changes_replays ON analytics_store.message_changes (message_id, position)
    WHERE position IS NOT NULL;
COMMENT ON TABLE analytics_store.message_changes IS
    'Broker messages whose events are not added up yet; with a position, only that event, which a replay has applied.';

CREATE TABLE analytics_store.callback_hours (
    company_key       text        NOT NULL,
    hour              timestamptz NOT NULL,
    callback_type     text        NOT NULL,
    events            bigint      NOT NULL,
    undated           bigint      NOT NULL,
    within_1_second   bigint      NOT NULL,
    within_10_seconds bigint      NOT NULL,
    within_1_minute   bigint      NOT NULL,
    within_10_minutes bigint      NOT NULL,
    within_1_hour     bigint      NOT NULL,
    within_1_day      bigint      NOT NULL,
    milliseconds      numeric     NOT NULL,
    max_milliseconds  bigint      NOT NULL,
    last_event_date   timestamptz,
    last_received_at  timestamptz NOT NULL,
    PRIMARY KEY (company_key, hour, callback_type)
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics_store.callback_hours IS
    'Events of the log by hour of receipt, and how long after they occurred they were received. Erasures and the '
    'retention of the log change nothing here: there is nothing about a person in it.';

CREATE FUNCTION analytics_store.note_messages() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO analytics_store.message_changes
    SELECT message_id, received_at FROM recorded WHERE applied > 0;
    RETURN NULL;
END;
$$;
CREATE FUNCTION analytics_store.note_replays() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO analytics_store.message_changes
    SELECT message_id, before.received_at, place - 1
    FROM before
    JOIN after USING (message_id)
    CROSS JOIN generate_series(1, length(after.outcomes)) AS place
    WHERE substr(after.outcomes, place, 1) = 'a' AND substr(before.outcomes, place, 1) <> 'a';
    RETURN NULL;
END;
$$;

-- What the log alone tells: the state of each thing is made anew from all events about it when one more has come.
CREATE TABLE analytics_store.touched (
    view_name   text        NOT NULL,
    company_key text        NOT NULL,
    key         text        NOT NULL,
    at          timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE analytics_store.touched IS
    'Things whose state is to be made anew. key: their id; at: the date of a sign-up, else -infinity.';

CREATE FUNCTION analytics_store.thing_of(callback_type text, event_id text, payload jsonb)
    RETURNS TABLE (view_name text, key text, at timestamptz)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT view_name, coalesce(key, ''), coalesce(at, '-infinity')
    FROM (
        SELECT
            CASE
                WHEN callback_type LIKE '%participant%' THEN 'participations'
                WHEN callback_type LIKE 'device%' THEN 'push_devices'
                WHEN callback_type LIKE 'wallet%' THEN 'wallet_items'
                WHEN callback_type = 'unmatched_message_received' THEN 'inbound_messages'
                WHEN callback_type = 'event_processed' THEN 'event_outcomes'
            END AS view_name,
            CASE
                WHEN callback_type LIKE '%participant%'
                    THEN public.read_text(payload #> '{participant,acquisition_campaign,id}')
                WHEN callback_type LIKE 'device%' THEN public.read_text(payload #> '{push_device,vibes_device_id}')
                WHEN callback_type LIKE 'wallet%' THEN coalesce(
                    public.read_text(payload #> '{wallet_item,uuid}'),
                    public.read_text(payload #> '{wallet_instance,wallet_instance_uid}')
                )
                WHEN callback_type = 'unmatched_message_received'
                    THEN coalesce(public.read_text(payload -> 'message_id'), event_id)
                ELSE coalesce(public.read_text(payload #> '{event_processed,event_id}'), event_id)
            END AS key,
            CASE WHEN callback_type LIKE '%participant%'
                 THEN public.read_timestamp(payload #>> '{participant,participation_date}') END AS at
    ) AS thing
    WHERE view_name IS NOT NULL
$$;
COMMENT ON FUNCTION analytics_store.thing_of IS 'Which row of which view an event tells of; no row: of none of these.';

-- All events about one of these things are found by these, and quickly.
CREATE INDEX callback_events_sign_ups ON callback_events (
    company_key,
    coalesce(read_text(payload #> '{participant,acquisition_campaign,id}'), ''),
    coalesce(read_timestamp(payload #>> '{participant,participation_date}'), '-infinity')
) WHERE callback_type IN (
    'ack_participant_added', 'ack_participant_changed', 'company_participant_added', 'company_participant_changed'
);
CREATE INDEX callback_events_devices ON callback_events (
    company_key, read_text(payload #> '{push_device,vibes_device_id}')
) WHERE callback_type IN ('device_added', 'device_updated', 'device_removed');
CREATE INDEX callback_events_passes ON callback_events (
    company_key,
    coalesce(
        read_text(payload #> '{wallet_item,uuid}'), read_text(payload #> '{wallet_instance,wallet_instance_uid}')
    )
) WHERE callback_type IN ('wallet_item_install', 'wallet_item_remove');
CREATE INDEX callback_events_messages ON callback_events (
    company_key, coalesce(read_text(payload -> 'message_id'), event_id)
) WHERE callback_type = 'unmatched_message_received';
CREATE INDEX callback_events_submitted ON callback_events (
    company_key, coalesce(read_text(payload #> '{event_processed,event_id}'), event_id)
) WHERE callback_type = 'event_processed';
-- Nearly all persons have a person_id, so this one is nearly empty.
CREATE INDEX callback_events_by_key_only ON callback_events (company_key, person_key)
    WHERE person_id IS NULL AND person_key IS NOT NULL;

-- As before, but the events are looked for twice rather than kept: for one device, that are only its own.
CREATE OR REPLACE VIEW push_devices AS
WITH told AS NOT MATERIALIZED (
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

CREATE TABLE analytics_store.participations AS SELECT * FROM participations WITH NO DATA;
CREATE TABLE analytics_store.push_devices AS SELECT * FROM push_devices WITH NO DATA;
CREATE TABLE analytics_store.wallet_items AS SELECT * FROM wallet_items WITH NO DATA;
CREATE TABLE analytics_store.inbound_messages AS SELECT * FROM inbound_messages WITH NO DATA;
CREATE TABLE analytics_store.event_outcomes AS SELECT * FROM event_outcomes WITH NO DATA;
CREATE INDEX participations_thing ON analytics_store.participations (
    company_key, coalesce(campaign_id, ''), coalesce(participation_date, '-infinity')
);
CREATE INDEX push_devices_thing ON analytics_store.push_devices (company_key, vibes_device_id);
CREATE INDEX wallet_items_thing ON analytics_store.wallet_items (
    company_key, coalesce(item_uuid, wallet_instance_uid)
);
CREATE INDEX inbound_messages_thing ON analytics_store.inbound_messages (company_key, message_id);
CREATE INDEX event_outcomes_thing ON analytics_store.event_outcomes (company_key, submitted_event_id);

CREATE FUNCTION analytics_store.is_thing(view_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE view_name
        WHEN 'participations' THEN
            'v.company_key = t.company_key AND coalesce(v.campaign_id, '''') = t.key '
            'AND coalesce(v.participation_date, ''-infinity'') = t.at'
        WHEN 'push_devices' THEN 'v.company_key = t.company_key AND v.vibes_device_id = t.key'
        WHEN 'wallet_items' THEN
            'v.company_key = t.company_key AND coalesce(v.item_uuid, v.wallet_instance_uid) = t.key'
        WHEN 'inbound_messages' THEN 'v.company_key = t.company_key AND v.message_id = t.key'
        WHEN 'event_outcomes' THEN 'v.company_key = t.company_key AND v.submitted_event_id = t.key'
    END;
COMMENT ON FUNCTION analytics_store.is_thing IS 'SQL: whether row v of a view is the touched thing t.';

-- Erasure takes the events out of the log, and what was made of them with it, in the same transaction.
CREATE FUNCTION analytics_store.forget_thing() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    thing record;
BEGIN
    FOR thing IN SELECT * FROM analytics_store.thing_of(OLD.callback_type, OLD.event_id, OLD.payload) LOOP
        EXECUTE format(
            'DELETE FROM analytics_store.%I AS v USING (SELECT $1, $2, $3) AS t (company_key, key, at) WHERE %s',
            thing.view_name, analytics_store.is_thing(thing.view_name)
        ) USING OLD.company_key, thing.key, thing.at;
        INSERT INTO analytics_store.touched VALUES (thing.view_name, OLD.company_key, thing.key, thing.at);
    END LOOP;
    RETURN NULL;
END;
$$;

CREATE FUNCTION analytics_store.add_up_callbacks(at_most integer) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    batch tid[] := ARRAY(SELECT ctid FROM analytics_store.message_changes LIMIT at_most);
BEGIN
    IF cardinality(batch) = 0 THEN
        RETURN 0;
    END IF;

    WITH told AS MATERIALIZED (
        SELECT
            e.company_key, e.callback_type, e.event_id, e.event_date, e.received_at,
            CASE WHEN e.event_date IS NOT NULL
                 THEN round(greatest(extract(epoch FROM e.received_at - e.event_date), 0) * 1000) END AS delay,
            CASE WHEN e.callback_type NOT LIKE 'subscription%' AND e.callback_type NOT LIKE 'person%'
                 THEN e.payload END AS payload
        FROM analytics_store.message_changes AS message
        JOIN public.callback_events AS e
            ON e.message_id = message.message_id
            -- What is published together was received within the deadline of a request.
            AND e.received_at >= message.received_at - interval '1 hour'
            AND e.received_at <= message.received_at + interval '1 hour'
            -- What a replay has applied before its message was added up is noted twice.
            AND CASE WHEN message.position IS NULL
                     THEN NOT EXISTS (
                         SELECT FROM analytics_store.message_changes AS replay
                         WHERE replay.message_id = e.message_id AND replay.position = e.position
                             AND replay.position IS NOT NULL
                     )
                     ELSE e.position = message.position END
        WHERE message.ctid = ANY (batch)
    ),
    noted AS (
        INSERT INTO analytics_store.touched (view_name, company_key, key, at)
        SELECT DISTINCT thing.view_name, company_key, thing.key, thing.at
        FROM told
        CROSS JOIN LATERAL analytics_store.thing_of(callback_type, event_id, payload) AS thing
        WHERE payload IS NOT NULL
    )
    INSERT INTO analytics_store.callback_hours AS kept
    SELECT
        company_key,
        date_trunc('hour', received_at, 'UTC'),
        callback_type,
        count(*),
        count(*) FILTER (WHERE event_date IS NULL),
        count(*) FILTER (WHERE delay <= 1000),
        count(*) FILTER (WHERE delay <= 10000),
        count(*) FILTER (WHERE delay <= 60000),
        count(*) FILTER (WHERE delay <= 600000),
        count(*) FILTER (WHERE delay <= 3600000),
        count(*) FILTER (WHERE delay <= 86400000),
        coalesce(sum(delay), 0),
        coalesce(max(delay), 0),
        max(event_date),
        max(received_at)
    FROM told
    GROUP BY 1, 2, 3
    ON CONFLICT (company_key, hour, callback_type) DO UPDATE SET
        events = kept.events + excluded.events,
        undated = kept.undated + excluded.undated,
        within_1_second = kept.within_1_second + excluded.within_1_second,
        within_10_seconds = kept.within_10_seconds + excluded.within_10_seconds,
        within_1_minute = kept.within_1_minute + excluded.within_1_minute,
        within_10_minutes = kept.within_10_minutes + excluded.within_10_minutes,
        within_1_hour = kept.within_1_hour + excluded.within_1_hour,
        within_1_day = kept.within_1_day + excluded.within_1_day,
        milliseconds = kept.milliseconds + excluded.milliseconds,
        max_milliseconds = greatest(kept.max_milliseconds, excluded.max_milliseconds),
        last_event_date = greatest(kept.last_event_date, excluded.last_event_date),
        last_received_at = greatest(kept.last_received_at, excluded.last_received_at);

    DELETE FROM analytics_store.message_changes WHERE ctid = ANY (batch);
    RETURN cardinality(batch);
END;
$$;

CREATE FUNCTION analytics_store.make_things(at_most integer) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    batch tid[] := ARRAY(SELECT ctid FROM analytics_store.touched LIMIT at_most);
    view_ text;
    things text;
BEGIN
    IF cardinality(batch) = 0 THEN
        RETURN 0;
    END IF;
    FOR view_ IN SELECT DISTINCT view_name FROM analytics_store.touched WHERE ctid = ANY (batch) LOOP
        things := format(
            '(SELECT DISTINCT company_key, key, at FROM analytics_store.touched '
            'WHERE ctid = ANY ($1) AND view_name = %L) AS t',
            view_
        );
        EXECUTE format(
            'DELETE FROM analytics_store.%I AS v USING %s WHERE %s', view_, things, analytics_store.is_thing(view_)
        ) USING batch;
        -- With OFFSET the planner makes each thing's row by itself, from the events that an index finds.
        EXECUTE format(
            'INSERT INTO analytics_store.%1$I SELECT made.* FROM %2$s '
            'CROSS JOIN LATERAL (SELECT * FROM public.%1$I AS v WHERE %3$s OFFSET 0) AS made',
            view_, things, analytics_store.is_thing(view_)
        ) USING batch;
    END LOOP;
    DELETE FROM analytics_store.touched WHERE ctid = ANY (batch);
    RETURN cardinality(batch);
END;
$$;

-- migrate: rollback
DROP FUNCTION analytics_store.make_things(integer), analytics_store.add_up_callbacks(integer);
DROP FUNCTION analytics_store.forget_thing(), analytics_store.is_thing(text);
DROP TABLE analytics_store.participations, analytics_store.push_devices, analytics_store.wallet_items,
    analytics_store.inbound_messages, analytics_store.event_outcomes;
DROP INDEX callback_events_by_key_only, callback_events_submitted, callback_events_messages, callback_events_passes,
    callback_events_devices, callback_events_sign_ups;
DROP FUNCTION analytics_store.thing_of(text, text, jsonb);
DROP FUNCTION analytics_store.note_messages(), analytics_store.note_replays();
DROP TABLE analytics_store.touched, analytics_store.callback_hours, analytics_store.message_changes;
