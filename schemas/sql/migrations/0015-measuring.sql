-- Indexes for what is measured every few seconds
-- depends: 0014-late-partitions

-- migrate: apply

CREATE INDEX dead_letters_open ON dead_letters (company_key, stage, reason)
    WHERE replayed_at IS NULL AND discarded_at IS NULL AND erased_at IS NULL;
COMMENT ON INDEX dead_letters_open IS 'Letters that wait for somebody to decide: few, however many there have been.';

CREATE INDEX person_sync_waiting ON person_sync (company_key, bulk, requested_at)
    WHERE status IN ('pending', 'postponed');
COMMENT ON INDEX person_sync_waiting IS 'How many syncs of a company wait, and since when.';

CREATE INDEX person_api_calls_called_at ON person_api_calls USING brin (called_at) WITH (autosummarize = on);
COMMENT ON INDEX person_api_calls_called_at IS 'The calls of the last minutes.';

-- migrate: rollback
DROP INDEX person_api_calls_called_at;
DROP INDEX person_sync_waiting;
DROP INDEX dead_letters_open;
