-- Let a sync that failed be due again later, unless somebody else has dealt with it since it was loaded.
-- $1 text company, $2 uuid person, $3 bigint the synced_version that was loaded (NULL: it could not be), $4 seconds,
-- $5 integer failed attempts to add, $6 text error, $7 integer HTTP status, $8 text route, $9 text what Vibes said.
-- Returns true if it did.
UPDATE person_sync SET
    status = 'postponed',
    attempts = attempts + $5::integer,
    next_attempt_at = now() + make_interval(secs => $4::double precision),
    last_error = $6::text,
    last_status = $7::integer,
    last_route = $8::text,
    last_message = $9::text
WHERE company_key = $1 AND person_uid = $2 AND synced_version = coalesce($3::bigint, synced_version)
RETURNING true
