-- A human has said which person a record means: write it to them now. $1 text company, $2 uuid the row of the record,
-- $3 text what they decided. Returns true if the row was a conflict.
UPDATE person_sync SET
    status = 'pending',
    bulk = false,
    desired_version = desired_version + 1,
    next_attempt_at = now(),
    requested_at = now(),
    resolved_at = now(),
    resolution = $3::text
WHERE company_key = $1 AND person_uid = $2 AND status = 'conflict'
RETURNING true
