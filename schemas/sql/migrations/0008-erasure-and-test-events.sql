-- Erasing a person for good, and telling test events from facts
-- depends: 0007-crm-changes

-- migrate: apply

CREATE TABLE test_events (
    company_key   text        NOT NULL,
    event_id      text        NOT NULL,
    callback_type text        NOT NULL,
    requested_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_key, event_id)
);

COMMENT ON TABLE test_events IS
    'Test events somebody had Vibes send. A test looks like a fact but for its id, so it is remembered here and not '
    'applied. Rows older than 30 days are removed when another test is requested.';
COMMENT ON COLUMN test_events.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN test_events.event_id IS 'The event_id Vibes said the test would carry.';
COMMENT ON COLUMN test_events.callback_type IS 'The type that was tested.';
COMMENT ON COLUMN test_events.requested_at IS 'When it was requested.';

CREATE TABLE erasures (
    erasure_id    uuid        NOT NULL PRIMARY KEY,
    company_key   text        NOT NULL,
    requested_at  timestamptz NOT NULL DEFAULT now(),
    reason        text,
    local_only    boolean     NOT NULL,
    status        text        NOT NULL,
    vibes_outcome text,
    last_error    text,
    erased_at     timestamptz,
    finished_at   timestamptz,
    counts        jsonb       NOT NULL DEFAULT '{}',
    identifiers   jsonb
);

COMMENT ON TABLE erasures IS
    'Requests to erase a person, and what became of them. Once done, a row tells nothing about who it was.';
COMMENT ON COLUMN erasures.erasure_id IS 'Id of the request.';
COMMENT ON COLUMN erasures.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN erasures.requested_at IS 'When it was requested.';
COMMENT ON COLUMN erasures.reason IS 'Why, in the words of whoever requested it, such as the number of a ticket.';
COMMENT ON COLUMN erasures.local_only IS 'True: the person was not to be erased at Vibes.';
COMMENT ON COLUMN erasures.status IS
    'requested: nothing is erased here yet. nullified: erased at Vibes, and from the current state here; the log may '
    'still hold events. done: erased everywhere.';
COMMENT ON COLUMN erasures.vibes_outcome IS
    'nullified: Vibes holds nothing more about them. not_found: Vibes did not know them. left_alone: see local_only.';
COMMENT ON COLUMN erasures.last_error IS 'Why it could not be done so far; no personal data.';
COMMENT ON COLUMN erasures.erased_at IS
    'Events and changes up to this moment are not applied any more, whenever they come; newer ones are.';
COMMENT ON COLUMN erasures.finished_at IS 'When it was done.';
COMMENT ON COLUMN erasures.counts IS 'How many rows of each table were erased.';
COMMENT ON COLUMN erasures.identifiers IS
    'Whom to erase, for as long as it takes: their ids and numbers. Removed with the rest, so NULL when it is done.';

CREATE INDEX erasures_unfinished ON erasures (company_key) WHERE status <> 'done';

CREATE TABLE erased_identities (
    company_key text        NOT NULL,
    identity    uuid        NOT NULL,
    erased_at   timestamptz NOT NULL,
    erasure_id  uuid        NOT NULL,
    PRIMARY KEY (company_key, identity)
);

COMMENT ON TABLE erased_identities IS
    'Tombstones: what comes about one of these and is not newer than the erasure is not applied, so that no late or '
    'repeated delivery brings an erased person back.';
COMMENT ON COLUMN erased_identities.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN erased_identities.identity IS
    'First 16 bytes of a SHA-256 of company, kind of id, and the id or number. It cannot be read back, but whoever has '
    'a number, or tries all of them, can look it up: it is a pseudonym, not anonymous.';
COMMENT ON COLUMN erased_identities.erased_at IS 'Up to when they are erased.';
COMMENT ON COLUMN erased_identities.erasure_id IS 'By which request: erasures.erasure_id.';

ALTER TABLE dead_letters ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN dead_letters.erased_at IS
    'When its body, headers and detail were removed because it was about an erased person; NULL: they were not.';

COMMENT ON COLUMN callback_events.callback_type IS
    'One of Vibes'' 17 types: callback_type of the body, else event_type, else told by the payload. test: a test event, '
    'which changed nothing. erased: was about a person who was erased; nothing of it is left but its receipt.';
COMMENT ON TABLE callback_events IS
    'Every event Vibes told us, once, as it was received; append only, but for erased persons. Partitioned by month of '
    'receipt (UTC).';

-- migrate: rollback
ALTER TABLE dead_letters DROP COLUMN erased_at;
DROP TABLE erased_identities, erasures, test_events;
