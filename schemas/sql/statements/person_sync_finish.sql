-- Record that a sync was dealt with, unless somebody else has done so since it was loaded. If more was asked for
-- meanwhile it is due again: a person to be read at once, a record to be written after the delay in which further
-- changes join it. What a human decided about a conflict is kept until there is a new one. $1 text company, $2 uuid
-- person, $3 bigint the synced_version that was loaded, $4 bigint the desired_version that was dealt with, $5 text
-- status, $6 text error, $7 integer HTTP status, $8 text route, $9 text what Vibes said, $10 double precision the delay
-- in seconds. Returns true if it did.
UPDATE person_sync SET
    status = CASE
        WHEN desired_version = $4::bigint THEN $5::text
        WHEN external_person_id IS NULL THEN 'pending'
        ELSE 'postponed'
    END,
    next_attempt_at = CASE
        WHEN desired_version > $4::bigint AND external_person_id IS NOT NULL
        THEN now() + make_interval(secs => $10::double precision)
        ELSE next_attempt_at
    END,
    synced_version = $4::bigint,
    attempts = 0,
    last_error = $6::text,
    last_status = $7::integer,
    last_route = $8::text,
    last_message = $9::text,
    finished_at = now(),
    resolved_at = CASE WHEN $5::text = 'conflict' THEN NULL ELSE resolved_at END,
    resolution = CASE WHEN $5::text = 'conflict' THEN NULL ELSE resolution END
WHERE company_key = $1 AND person_uid = $2 AND synced_version = $3::bigint
RETURNING true
