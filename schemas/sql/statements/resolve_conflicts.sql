-- Close conflicts: a human has decided. $1 text company, $2 uuid[] which, $3 text what they decided. Returns those it
-- closed; a row that somebody else has dealt with meanwhile is not among them.
WITH picked AS MATERIALIZED (
    SELECT company_key, person_uid
    FROM person_sync
    WHERE company_key = $1 AND status = 'conflict' AND person_uid = ANY ($2::uuid[])
    ORDER BY person_uid
    FOR UPDATE
)
UPDATE person_sync AS sync SET status = 'resolved', resolved_at = now(), resolution = $3::text
FROM picked
WHERE sync.company_key = picked.company_key AND sync.person_uid = picked.person_uid
RETURNING sync.person_uid
