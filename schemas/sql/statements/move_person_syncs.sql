-- Hand the syncs of merged persons on; whatever their state was, the person they are now is due. $1 uuid[] from, $2 to.
WITH lifted AS (
    DELETE FROM person_sync AS sync
    USING unnest($1::uuid[], $2::uuid[]) AS moves (source, target)
    WHERE sync.person_uid = moves.source
    RETURNING sync.company_key, moves.target
)
INSERT INTO person_sync AS sync (company_key, person_uid, status, desired_version, next_attempt_at)
SELECT DISTINCT company_key, target, 'pending', 1, now() FROM lifted
ON CONFLICT (company_key, person_uid) DO UPDATE SET
    status = 'pending', desired_version = sync.desired_version + 1, next_attempt_at = now(), requested_at = now()
