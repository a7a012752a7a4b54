-- What became of callbacks, added up by company, ingest process and hour
-- depends: 0011-dead-letter-replays

-- migrate: apply

CREATE FUNCTION message_hour(message_id uuid, otherwise timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE
        WHEN get_byte(uuid_send(message_id), 6) >> 4 = 7 THEN to_timestamp(
            ('x' || encode(substring(uuid_send(message_id) FROM 1 FOR 6), 'hex'))::bit(48)::bigint / 3600000 * 3600
        )
        ELSE date_bin('1 hour', otherwise, '2000-01-01 00:00:00+00')
    END;
COMMENT ON FUNCTION message_hour IS
    'The hour in which ingest published a broker message, as its id (a version 7 UUID) tells it; of another id, the hour '
    'of the other time.';

CREATE TABLE callback_account_hours (
    company_key      text        NOT NULL,
    ingest_id        text        NOT NULL,
    hour             timestamptz NOT NULL,
    acknowledged     bigint      NOT NULL,
    applied          bigint      NOT NULL,
    duplicates       bigint      NOT NULL,
    quarantined      bigint      NOT NULL,
    dead_lettered    bigint      NOT NULL,
    last_received_at timestamptz NOT NULL,
    last_applied_at  timestamptz NOT NULL,
    PRIMARY KEY (company_key, ingest_id, hour)
);
CREATE INDEX callback_account_hours_hour ON callback_account_hours (hour);

COMMENT ON COLUMN callback_account_hours.company_key IS 'The company the callbacks belong to.';
COMMENT ON COLUMN callback_account_hours.ingest_id IS 'The ingest process (one start of it) that published them.';
COMMENT ON COLUMN callback_account_hours.hour IS
    'Beginning of the hour in which it published them, which is within its deadline after it received them.';
COMMENT ON COLUMN callback_account_hours.acknowledged IS
    'How many callbacks of the company that process had acknowledged since its start, as far as it told in that hour. '
    'Its last ones of an hour are told in the next: see the audit.';
COMMENT ON COLUMN callback_account_hours.applied IS 'Number of callbacks applied.';
COMMENT ON COLUMN callback_account_hours.duplicates IS 'Number of callbacks that were duplicates of applied ones.';
COMMENT ON COLUMN callback_account_hours.quarantined IS 'Number of callbacks that could not be read.';
COMMENT ON COLUMN callback_account_hours.dead_lettered IS 'Number of callbacks that could be read but not applied.';
COMMENT ON COLUMN callback_account_hours.last_received_at IS 'When the last of the broker messages was received.';
COMMENT ON COLUMN callback_account_hours.last_applied_at IS 'When the last of them was dealt with.';

-- Rows come and go all the time, so it is cleaned by how many went, not by how large it is.
CREATE TABLE callback_account_changes (LIKE callback_account_hours INCLUDING COMMENTS)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE VIEW callback_accounts AS
SELECT
    company_key,
    ingest_id,
    hour,
    max(acknowledged) AS acknowledged,
    sum(applied)::bigint AS applied,
    sum(duplicates)::bigint AS duplicates,
    sum(quarantined)::bigint AS quarantined,
    sum(dead_lettered)::bigint AS dead_lettered,
    max(last_received_at) AS last_received_at,
    max(last_applied_at) AS last_applied_at
FROM (
    SELECT * FROM callback_account_hours
    UNION ALL
    SELECT * FROM callback_account_changes
) AS parts
GROUP BY company_key, ingest_id, hour;

COMMENT ON VIEW callback_accounts IS
    'What became of callbacks, by company, ingest process and hour: callback_messages, added up. Exact at any moment.';
COMMENT ON COLUMN callback_accounts.company_key IS 'The company the callbacks belong to.';
COMMENT ON COLUMN callback_accounts.ingest_id IS 'The ingest process (one start of it) that published them.';
COMMENT ON COLUMN callback_accounts.hour IS
    'Beginning of the hour in which it published them, which is within its deadline after it received them.';
COMMENT ON COLUMN callback_accounts.acknowledged IS
    'How many callbacks of the company that process had acknowledged since its start, as far as it told in that hour. '
    'Its last ones of an hour are told in the next: see the audit.';
COMMENT ON COLUMN callback_accounts.applied IS 'Number of callbacks applied.';
COMMENT ON COLUMN callback_accounts.duplicates IS 'Number of callbacks that were duplicates of applied ones.';
COMMENT ON COLUMN callback_accounts.quarantined IS 'Number of callbacks that could not be read.';
COMMENT ON COLUMN callback_accounts.dead_lettered IS 'Number of callbacks that could be read but not applied.';
COMMENT ON COLUMN callback_accounts.last_received_at IS 'When the last of the broker messages was received.';
COMMENT ON COLUMN callback_accounts.last_applied_at IS 'When the last of them was dealt with.';

COMMENT ON TABLE callback_account_hours IS
    'Part of the view callback_accounts: what was added up.';
COMMENT ON TABLE callback_account_changes IS
    'Part of the view callback_accounts: a row for each process and hour of each batch that apply committed, until apply '
    'adds them up. A transaction only ever adds rows of its own, so that none has to wait for another.';

-- A trigger, so that the worker of every release is counted, and with no statement more.
CREATE FUNCTION account_callback_messages() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callback_account_changes
    SELECT
        company_key,
        ingest_id,
        message_hour(message_id, received_at),
        max(acknowledged),
        sum(applied),
        sum(duplicates),
        sum(quarantined),
        sum(dead_lettered),
        max(received_at),
        max(applied_at)
    FROM recorded
    GROUP BY 1, 2, 3;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION account_callback_messages IS 'Adds what was recorded in callback_messages to callback_accounts.';

-- Locks out writers until this is committed: what they record then is counted by the trigger, what they had recorded
-- by what follows.
CREATE TRIGGER account AFTER INSERT ON callback_messages
    REFERENCING NEW TABLE AS recorded
    FOR EACH STATEMENT EXECUTE FUNCTION account_callback_messages();

INSERT INTO callback_account_hours
SELECT
    company_key,
    ingest_id,
    message_hour(message_id, received_at),
    max(acknowledged),
    sum(applied),
    sum(duplicates),
    sum(quarantined),
    sum(dead_lettered),
    max(received_at),
    max(applied_at)
FROM callback_messages
GROUP BY 1, 2, 3;

-- migrate: rollback
DROP TRIGGER account ON callback_messages;
DROP FUNCTION account_callback_messages();
DROP VIEW callback_accounts;
DROP TABLE callback_account_changes, callback_account_hours;
DROP FUNCTION message_hour(uuid, timestamptz);
