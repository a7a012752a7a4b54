-- Changes the CRM sends: when each field was changed, and what became of it at Vibes
-- depends: 0006-api-rates

-- migrate: apply

ALTER TABLE crm_persons
    ADD COLUMN field_times jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN received_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN person_id   text,
    ADD COLUMN person_key  text;

CREATE INDEX crm_persons_person_key ON crm_persons (company_key, person_key) WHERE person_key IS NOT NULL;

COMMENT ON COLUMN crm_persons.field_times IS
    'When the CRM changed each field: mdn, carrier_code, custom_fields.NAME. The latest change of a field wins, in '
    'whatever order changes arrive. A field that is not here is as old as updated_at; one that is here and has no value '
    'is to be removed at Vibes.';
COMMENT ON COLUMN crm_persons.received_at IS 'When the last change was received that changed something.';
COMMENT ON COLUMN crm_persons.person_id IS
    'The person at Vibes this record was written to last, by Vibes'' (deprecated) id; NULL while unknown.';
COMMENT ON COLUMN crm_persons.person_key IS
    'The same by Vibes'' canonical key. Should the external id turn up on another person, that is a conflict.';
COMMENT ON COLUMN crm_persons.updated_at IS 'The latest time of a change, by the CRM''s clock.';

ALTER TABLE person_sync
    ADD COLUMN external_person_id text,
    ADD COLUMN bulk               boolean NOT NULL DEFAULT false,
    ADD COLUMN last_route         text,
    ADD COLUMN last_message       text,
    ADD COLUMN resolved_at        timestamptz,
    ADD COLUMN resolution         text;

COMMENT ON COLUMN person_sync.person_uid IS
    'Whom the row is about: persons.person_uid, for a person to be read from Vibes; with external_person_id, a uid '
    'derived from that id, for a record of the CRM to be written to Vibes.';
COMMENT ON COLUMN person_sync.external_person_id IS 'The record of crm_persons to be written; NULL: a person to be read.';
COMMENT ON COLUMN person_sync.bulk IS
    'True: asked for by an import, so it waits for what is not. False: asked for by what just happened.';
COMMENT ON COLUMN person_sync.last_route IS 'Method and path of the call that failed last, its ids left out.';
COMMENT ON COLUMN person_sync.last_message IS 'What Vibes said to it, in its own words. May hold personal data.';
COMMENT ON COLUMN person_sync.resolved_at IS 'When a human closed the conflict; NULL: nobody has.';
COMMENT ON COLUMN person_sync.resolution IS 'What they decided, and why.';
COMMENT ON COLUMN person_sync.status IS
    'pending: due; postponed: due at next_attempt_at, because it waits for more changes or failed for now; synced: done; '
    'conflict: refused for good, a human has to look; resolved: a conflict a human has closed.';

CREATE INDEX person_sync_due_by_class ON person_sync (bulk, next_attempt_at) WHERE status IN ('pending', 'postponed');
DROP INDEX person_sync_due;
CREATE INDEX person_sync_conflicts ON person_sync (company_key, finished_at) WHERE status = 'conflict';

-- migrate: rollback
DROP INDEX person_sync_conflicts;
CREATE INDEX person_sync_due ON person_sync (next_attempt_at) WHERE status IN ('pending', 'postponed');
DROP INDEX person_sync_due_by_class;
ALTER TABLE person_sync
    DROP COLUMN external_person_id, DROP COLUMN bulk, DROP COLUMN last_route, DROP COLUMN last_message,
    DROP COLUMN resolved_at, DROP COLUMN resolution;
DROP INDEX crm_persons_person_key;
ALTER TABLE crm_persons
    DROP COLUMN field_times, DROP COLUMN received_at, DROP COLUMN person_id, DROP COLUMN person_key;
