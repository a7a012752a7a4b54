-- Put persons we have no profile of into the outbox, to be read from Vibes. $1 text company, $2 uuid[] persons. Returns
-- those that are due now; should their message get lost, a sweep finds them 15 seconds later.
INSERT INTO person_sync AS sync (company_key, person_uid, status, desired_version, next_attempt_at)
SELECT p.company_key, p.person_uid, 'pending', 1, now() + interval '15 seconds'
FROM persons AS p
WHERE p.company_key = $1 AND p.person_uid = ANY ($2::uuid[]) AND p.profile_at IS NULL
ORDER BY p.person_uid
ON CONFLICT (company_key, person_uid) DO UPDATE SET
    status = 'pending',
    desired_version = sync.desired_version + 1,
    next_attempt_at = excluded.next_attempt_at,
    requested_at = now()
WHERE sync.status <> 'conflict'
RETURNING person_uid
