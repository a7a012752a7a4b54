-- Comparing the mirror with Vibes: how far each run is, and what it found
-- depends: 0008-erasure-and-test-events

-- migrate: apply

CREATE TABLE reconciliations (
    run_id       uuid        NOT NULL PRIMARY KEY,
    company_key  text        NOT NULL,
    options      jsonb       NOT NULL,
    status       text        NOT NULL DEFAULT 'unfinished',
    started_at   timestamptz NOT NULL,
    saved_at     timestamptz,
    finished_at  timestamptz,
    after_uid    uuid,
    after_record bigint,
    persons      bigint      NOT NULL DEFAULT 0,
    calls        bigint      NOT NULL DEFAULT 0,
    found        jsonb       NOT NULL DEFAULT '{}',
    repaired     jsonb       NOT NULL DEFAULT '{}',
    failed       bigint      NOT NULL DEFAULT 0
);

COMMENT ON TABLE reconciliations IS
    'Runs of vibes-pipeline persons reconcile, which compares the mirror with Vibes person by person. No personal data.';
COMMENT ON COLUMN reconciliations.run_id IS
    'Id of the run. What it repaired in subscriptions has the event_id reconcile:RUN_ID.';
COMMENT ON COLUMN reconciliations.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN reconciliations.options IS 'Which persons it is about, and what it may do. The same options carry it on.';
COMMENT ON COLUMN reconciliations.status IS
    'unfinished: under way, or to be carried on by the same command; finished: all persons were compared; abandoned: '
    'another one was begun in its place.';
COMMENT ON COLUMN reconciliations.started_at IS 'When it was begun.';
COMMENT ON COLUMN reconciliations.saved_at IS 'When it came to where it is.';
COMMENT ON COLUMN reconciliations.finished_at IS 'When it was finished or abandoned.';
COMMENT ON COLUMN reconciliations.after_uid IS
    'The cursor: all persons up to this person_uid are dealt with. NULL: none, the run has just begun.';
COMMENT ON COLUMN reconciliations.after_record IS
    'The cursor among records of the CRM that are bound to no person, in the order of hashtextextended(external id, 0). '
    'NULL: the run is still among the persons.';
COMMENT ON COLUMN reconciliations.persons IS 'Persons and records compared.';
COMMENT ON COLUMN reconciliations.calls IS 'Questions asked of Vibes; each may have taken several attempts.';
COMMENT ON COLUMN reconciliations.found IS 'How many differences of each kind were found.';
COMMENT ON COLUMN reconciliations.repaired IS 'How many of these were repaired, or a write to Vibes requested for.';
COMMENT ON COLUMN reconciliations.failed IS 'Persons that could not be compared; the next run tries them again.';

CREATE INDEX reconciliations_unfinished ON reconciliations (company_key) WHERE status = 'unfinished';

-- In which order records without a known person are looked up.
CREATE INDEX crm_persons_unbound ON crm_persons (company_key, hashtextextended(external_person_id, 0))
    WHERE person_id IS NULL AND person_key IS NULL;

-- migrate: rollback
DROP INDEX crm_persons_unbound;
DROP TABLE reconciliations;
