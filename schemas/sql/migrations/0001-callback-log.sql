-- The log of what was received, the dedupe ledger, and what could not be applied
-- depends:

-- migrate: apply

CREATE TABLE callback_events (
    company_key        text        NOT NULL,
    callback_type      text        NOT NULL,
    event_id           text        NOT NULL,
    event_date         timestamptz,
    received_at        timestamptz NOT NULL,
    person_id          text,
    person_key         text,
    external_person_id text,
    list_id            text,
    reason             text,
    variant            boolean     NOT NULL DEFAULT false,
    payload            jsonb       NOT NULL,
    original_body      bytea,
    endpoint           text        NOT NULL,
    message_id         uuid        NOT NULL,
    position           integer     NOT NULL,
    PRIMARY KEY (message_id, position, received_at)
) PARTITION BY RANGE (received_at);

COMMENT ON TABLE callback_events IS
    'Every event Vibes told us, once, as it was received; append only. Partitioned by month of receipt (UTC).';
COMMENT ON COLUMN callback_events.company_key IS 'The Vibes company (tenant) whose endpoint was called.';
COMMENT ON COLUMN callback_events.callback_type IS
    'One of Vibes'' 17 types: callback_type of the body, else event_type, else told by the payload.';
COMMENT ON COLUMN callback_events.event_id IS
    'Vibes'' id of the event. Unique per company and type only: Vibes'' own samples share one id over types. '
    'An event without an id gets sha256: and the hash of its body.';
COMMENT ON COLUMN callback_events.event_date IS 'When the event occurred, says Vibes. NULL: missing or not a date.';
COMMENT ON COLUMN callback_events.received_at IS 'When the ingest endpoint had read the request (first delivery).';
COMMENT ON COLUMN callback_events.person_id IS 'Vibes'' (deprecated) id of the person the event is about, as text.';
COMMENT ON COLUMN callback_events.person_key IS 'Vibes'' canonical key of that person, as text.';
COMMENT ON COLUMN callback_events.external_person_id IS 'The customer''s own id of that person.';
COMMENT ON COLUMN callback_events.list_id IS 'The subscription list the event is about.';
COMMENT ON COLUMN callback_events.reason IS
    'Why, in Vibes'' words: opt_out_reason of a removed subscription, status of a participation, '
    'status_reason of a processed event. Vibes may add values at any time.';
COMMENT ON COLUMN callback_events.variant IS
    'True when an event of the same company, type and id had come before with another body. Both are kept and applied.';
COMMENT ON COLUMN callback_events.payload IS 'The whole body.';
COMMENT ON COLUMN callback_events.original_body IS
    'The body byte for byte, only where payload cannot hold it exactly (NUL characters became U+FFFD).';
COMMENT ON COLUMN callback_events.endpoint IS 'Name of the configured endpoint that was called.';
COMMENT ON COLUMN callback_events.message_id IS 'The receipt, first part: the broker message that carried the event.';
COMMENT ON COLUMN callback_events.position IS 'The receipt, second part: place of the event in that message.';

CREATE INDEX callback_events_person ON callback_events (company_key, person_id);
CREATE INDEX callback_events_received_at ON callback_events USING brin (received_at) WITH (autosummarize = on);

CREATE TABLE callback_events_default PARTITION OF callback_events DEFAULT;
COMMENT ON TABLE callback_events_default IS
    'Events outside every monthly partition. Empty when partitions were created in time.';

CREATE TABLE callback_ledger (
    callback_key   uuid        NOT NULL PRIMARY KEY,
    body_hash      uuid        NOT NULL,
    variant_hashes uuid[],
    seen_at        timestamptz NOT NULL
) WITH (fillfactor = 95);

COMMENT ON TABLE callback_ledger IS
    'Which events were applied: the dedupe keys. Fixed-width, so that it stays fast at 100 million rows.';
COMMENT ON COLUMN callback_ledger.callback_key IS
    'First 16 bytes of the SHA-256 of company_key, callback_type and event_id: see function callback_key().';
COMMENT ON COLUMN callback_ledger.body_hash IS
    'First 16 bytes of the SHA-256 of the body applied first, in canonical form without delivery_attempt.';
COMMENT ON COLUMN callback_ledger.variant_hashes IS 'Hashes of other bodies that came with the same key.';
COMMENT ON COLUMN callback_ledger.seen_at IS 'When the first delivery was received; old rows may be pruned by it.';

CREATE INDEX callback_ledger_seen_at ON callback_ledger USING brin (seen_at) WITH (autosummarize = on);

CREATE FUNCTION callback_key(company_key text, callback_type text, event_id text) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN encode(
        substring(
            sha256(
                convert_to(company_key, 'UTF8') || '\x00'::bytea
                || convert_to(callback_type, 'UTF8') || '\x00'::bytea
                || convert_to(event_id, 'UTF8')
            ) FOR 16
        ),
        'hex'
    )::uuid;
COMMENT ON FUNCTION callback_key IS 'The key of an event in callback_ledger.';

CREATE TABLE callback_messages (
    message_id    uuid        NOT NULL PRIMARY KEY,
    company_key   text        NOT NULL,
    ingest_id     text        NOT NULL,
    acknowledged  bigint      NOT NULL,
    received_at   timestamptz NOT NULL,
    outcomes      text        NOT NULL,
    applied       integer     NOT NULL,
    duplicates    integer     NOT NULL,
    quarantined   integer     NOT NULL,
    dead_lettered integer     NOT NULL,
    applied_at    timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE callback_messages IS
    'One row a broker message that was dealt with: what became of each callback in it. Written in the transaction that '
    'applied them, so a message delivered again by the broker is recognised, and the audit can account for every '
    'callback by its receipt (message_id/position).';
COMMENT ON COLUMN callback_messages.message_id IS 'Id of the broker message; the first part of its callbacks'' receipts.';
COMMENT ON COLUMN callback_messages.company_key IS 'The company all callbacks of the message belong to.';
COMMENT ON COLUMN callback_messages.ingest_id IS 'The ingest process (one start of it) that published the message.';
COMMENT ON COLUMN callback_messages.acknowledged IS
    'How many callbacks of this company that process had acknowledged before it published this message. Its greatest '
    'value is what has to be accounted for.';
COMMENT ON COLUMN callback_messages.received_at IS
    'When the first callback of the message was received (for a message without callbacks: when it was applied).';
COMMENT ON COLUMN callback_messages.outcomes IS
    'One letter a callback, in order: a applied, d duplicate, q quarantined, x dead-lettered.';
COMMENT ON COLUMN callback_messages.applied IS 'Number of callbacks applied.';
COMMENT ON COLUMN callback_messages.duplicates IS 'Number of callbacks that were duplicates of applied ones.';
COMMENT ON COLUMN callback_messages.quarantined IS 'Number of callbacks that could not be read.';
COMMENT ON COLUMN callback_messages.dead_lettered IS 'Number of callbacks that could be read but not applied.';
COMMENT ON COLUMN callback_messages.applied_at IS 'When the message was dealt with.';

CREATE INDEX callback_messages_received_at ON callback_messages USING brin (received_at) WITH (autosummarize = on);

CREATE TABLE dead_letters (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_key   text,
    kind          text        NOT NULL,
    stage         text        NOT NULL,
    reason        text        NOT NULL,
    detail        text,
    body          bytea       NOT NULL,
    callback_type text,
    event_id      text,
    received_at   timestamptz,
    source_ip     text,
    method        text,
    endpoint      text,
    headers       jsonb       NOT NULL DEFAULT '{}',
    message_id    uuid,
    position      integer,
    created_at    timestamptz NOT NULL DEFAULT now(),
    replayed_at   timestamptz,
    replayed_by   text,
    UNIQUE (message_id, position)
);

COMMENT ON TABLE dead_letters IS 'What was acknowledged but could not be read (quarantined) or applied (dead_lettered).';
COMMENT ON COLUMN dead_letters.id IS 'Number of the row, in order of arrival.';
COMMENT ON COLUMN dead_letters.company_key IS 'The company whose endpoint was called; NULL when not even that could be read.';
COMMENT ON COLUMN dead_letters.kind IS 'quarantined: could not be read. dead_lettered: could be read, could not be applied.';
COMMENT ON COLUMN dead_letters.stage IS 'Where it was set aside: decode, apply, person-sync, or delivery (delivered too often).';
COMMENT ON COLUMN dead_letters.reason IS 'Why, as one short word, e.g. not_json, unknown_type, missing_person.';
COMMENT ON COLUMN dead_letters.detail IS 'More about why, without personal data.';
COMMENT ON COLUMN dead_letters.body IS 'What was received, byte for byte.';
COMMENT ON COLUMN dead_letters.callback_type IS 'The callback type, when it could be read.';
COMMENT ON COLUMN dead_letters.event_id IS 'The event id, when it could be read.';
COMMENT ON COLUMN dead_letters.received_at IS 'When it was received.';
COMMENT ON COLUMN dead_letters.source_ip IS 'Address it came from.';
COMMENT ON COLUMN dead_letters.method IS 'HTTP method it came with.';
COMMENT ON COLUMN dead_letters.endpoint IS 'Name of the configured endpoint that was called.';
COMMENT ON COLUMN dead_letters.headers IS 'HTTP headers that were kept.';
COMMENT ON COLUMN dead_letters.message_id IS 'The receipt, first part: the broker message that carried it.';
COMMENT ON COLUMN dead_letters.position IS 'The receipt, second part; -1: the broker message as a whole.';
COMMENT ON COLUMN dead_letters.created_at IS 'When it was set aside.';
COMMENT ON COLUMN dead_letters.replayed_at IS 'When it was put back on its way; NULL: not yet.';
COMMENT ON COLUMN dead_letters.replayed_by IS 'Who put it back.';

CREATE FUNCTION create_month_partitions(parent text, first_month date, months integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    month_start date;
BEGIN
    FOR month_start IN
        SELECT (date_trunc('month', first_month::timestamp) + make_interval(months => n))::date
        FROM generate_series(0, months - 1) AS n
    LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || to_char(month_start, '_YYYY_MM'),
            parent,
            to_char(month_start, 'YYYY-MM-DD 00:00:00+00'),
            to_char(month_start + interval '1 month', 'YYYY-MM-DD 00:00:00+00')
        );
    END LOOP;
END;
$$;
COMMENT ON FUNCTION create_month_partitions IS
    'Create the monthly partitions (UTC months) of a table that are not there yet.';

-- migrate: rollback
DROP FUNCTION create_month_partitions(text, date, integer);
DROP TABLE dead_letters, callback_messages, callback_ledger, callback_events;
DROP FUNCTION callback_key(text, text, text);
