-- Put persons we have no profile of into the outbox, to be read from Vibes. $1 text company, $2 uuid[] persons of it, $3
-- bigint how many of them are going to be announced, $4 double precision in how many seconds the sweep takes those, should
-- that get lost; it takes the others at once; $5 text[] which event asks for each, NULL: none. Returns those to be announced.
-- A person who is due already stays due at that time: the row's indexes need no change then.
-- OFFSET 0 keeps the look-up by key whatever the planner thinks of the table's size.
INSERT INTO person_sync AS sync (company_key, person_uid, event_id, status, desired_version, next_attempt_at)
SELECT
    $1,
    unknown.person_uid,
    told.event_id,
    'pending',
    1,
    now() + CASE
        WHEN row_number() OVER (ORDER BY unknown.person_uid) <= $3::bigint
        THEN make_interval(secs => $4::double precision)
        ELSE interval '0'
    END
FROM unnest($2::uuid[], $5::text[]) AS told (person_uid, event_id)
CROSS JOIN LATERAL (
    SELECT person_uid
    FROM persons
    WHERE person_uid = told.person_uid AND profile_at IS NULL
    OFFSET 0
) AS unknown
ORDER BY unknown.person_uid
ON CONFLICT (company_key, person_uid) DO UPDATE SET
    status = 'pending',
    event_id = excluded.event_id,
    bulk = false,
    desired_version = sync.desired_version + 1,
    next_attempt_at = CASE
        WHEN sync.status = 'pending' THEN least(sync.next_attempt_at, excluded.next_attempt_at)
        ELSE excluded.next_attempt_at END,
    requested_at = now()
WHERE sync.status <> 'conflict'
RETURNING person_uid, next_attempt_at > now() AS announced
