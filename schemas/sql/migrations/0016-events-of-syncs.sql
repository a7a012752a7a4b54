-- Which event a sync follows from
-- depends: 0015-measuring

-- migrate: apply

ALTER TABLE person_sync ADD COLUMN event_id text;
COMMENT ON COLUMN person_sync.event_id IS
    'event_id of the callback that asked for it last, so that calls in the logs can be told to follow from it; NULL: the '
    'CRM or a person asked, or the id is none that may be logged.';

-- migrate: rollback
ALTER TABLE person_sync DROP COLUMN event_id;
