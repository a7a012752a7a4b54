-- Record that a sync was dealt with, unless somebody else has done so since it was loaded. It stays due if more was
-- asked for meanwhile. $1 text company, $2 uuid person, $3 bigint the synced_version that was loaded, $4 bigint the
-- desired_version that was dealt with, $5 text status, $6 text error, $7 integer HTTP status. Returns true if it did.
UPDATE person_sync SET
    status = CASE WHEN desired_version > $4::bigint THEN 'pending' ELSE $5::text END,
    synced_version = $4::bigint,
    attempts = 0,
    last_error = $6::text,
    last_status = $7::integer,
    finished_at = now()
WHERE company_key = $1 AND person_uid = $2 AND synced_version = $3::bigint
RETURNING true
