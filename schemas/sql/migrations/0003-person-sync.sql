-- What the CRM wants Vibes to know, the outbox of syncs, and the record of calls
-- depends: 0002-persons

-- migrate: apply

CREATE TABLE crm_persons (
    company_key        text        NOT NULL,
    external_person_id text        NOT NULL,
    mdn                text,
    mdn_e164           text,
    carrier_code       text,
    custom_fields      jsonb       NOT NULL DEFAULT '{}',
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (company_key, external_person_id)
);

COMMENT ON TABLE crm_persons IS 'What the CRM wants Vibes to know about its persons.';
COMMENT ON COLUMN crm_persons.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN crm_persons.external_person_id IS 'The CRM''s id of the person; at most 128 characters at Vibes.';
COMMENT ON COLUMN crm_persons.mdn IS 'Mobile number as the CRM wrote it.';
COMMENT ON COLUMN crm_persons.mdn_e164 IS 'mdn in E.164 form; NULL where that is not possible.';
COMMENT ON COLUMN crm_persons.carrier_code IS 'Vibes'' code of the carrier, where the CRM knows it.';
COMMENT ON COLUMN crm_persons.custom_fields IS 'Fields to set at Vibes; null removes a field there.';
COMMENT ON COLUMN crm_persons.updated_at IS 'When the CRM changed the person; an older change never overwrites a newer.';

CREATE INDEX crm_persons_mdn_e164 ON crm_persons (company_key, mdn_e164);

CREATE TABLE person_sync (
    company_key        text        NOT NULL,
    person_uid         uuid        NOT NULL,
    status             text        NOT NULL,
    desired_version    bigint      NOT NULL,
    synced_version     bigint      NOT NULL DEFAULT 0,
    attempts           integer     NOT NULL DEFAULT 0,
    next_attempt_at    timestamptz NOT NULL,
    last_error         text,
    last_status        integer,
    requested_at       timestamptz NOT NULL DEFAULT now(),
    finished_at        timestamptz,
    PRIMARY KEY (company_key, person_uid)
) WITH (fillfactor = 80);

COMMENT ON TABLE person_sync IS
    'The outbox of the Person API: which persons are due, one row each, so that many changes become one call.';
COMMENT ON COLUMN person_sync.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN person_sync.person_uid IS 'The person: persons.person_uid.';
COMMENT ON COLUMN person_sync.status IS
    'pending: due; postponed: failed for now, due again at next_attempt_at; synced: done; '
    'conflict: Vibes refused for good, a human has to look.';
COMMENT ON COLUMN person_sync.desired_version IS 'Counts the requests for this person.';
COMMENT ON COLUMN person_sync.synced_version IS 'The desired_version that was dealt with last.';
COMMENT ON COLUMN person_sync.attempts IS 'Failed attempts since the last success.';
COMMENT ON COLUMN person_sync.next_attempt_at IS 'When it is due, or put on the queue again.';
COMMENT ON COLUMN person_sync.last_error IS 'What the last attempt failed with; Vibes'' codes, no personal data.';
COMMENT ON COLUMN person_sync.last_status IS 'HTTP status of the last answer.';
COMMENT ON COLUMN person_sync.requested_at IS 'When it was requested last.';
COMMENT ON COLUMN person_sync.finished_at IS 'When it was dealt with last.';

CREATE INDEX person_sync_due ON person_sync (next_attempt_at) WHERE status IN ('pending', 'postponed');

CREATE TABLE person_api_calls (
    called_at       timestamptz NOT NULL DEFAULT now(),
    company_key     text        NOT NULL,
    person_uid      uuid,
    method          text        NOT NULL,
    route           text        NOT NULL,
    status          integer,
    error           text,
    attempt         integer     NOT NULL,
    latency_seconds real        NOT NULL
) PARTITION BY RANGE (called_at);

COMMENT ON TABLE person_api_calls IS 'Every call to the Vibes API, each attempt; no bodies. Partitioned by month (UTC).';
COMMENT ON COLUMN person_api_calls.called_at IS 'When the call was recorded.';
COMMENT ON COLUMN person_api_calls.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN person_api_calls.person_uid IS 'The person it was about.';
COMMENT ON COLUMN person_api_calls.method IS 'HTTP method.';
COMMENT ON COLUMN person_api_calls.route IS 'The path with its ids left out.';
COMMENT ON COLUMN person_api_calls.status IS 'HTTP status of the answer; NULL: none came.';
COMMENT ON COLUMN person_api_calls.error IS 'Kind of failure; NULL: none.';
COMMENT ON COLUMN person_api_calls.attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN person_api_calls.latency_seconds IS 'From request to answer, or to the failure.';

CREATE INDEX person_api_calls_person ON person_api_calls (person_uid, called_at);

CREATE TABLE person_api_calls_default PARTITION OF person_api_calls DEFAULT;
COMMENT ON TABLE person_api_calls_default IS
    'Calls outside every monthly partition. Empty when partitions were created in time.';

-- migrate: rollback
DROP TABLE person_api_calls, person_sync, crm_persons;
