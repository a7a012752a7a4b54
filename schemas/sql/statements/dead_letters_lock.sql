-- Lock some dead letters, in the order of their ids, and return those that still have that status and their body: the
-- others were dealt with or erased meanwhile. $1 bigint[] ids, $2 text status.
SELECT letter.id, letter.kind, letter.stage, letter.reason, letter.detail
FROM dead_letters AS letter
WHERE letter.id = ANY ($1::bigint[]) AND dead_letter_status(letter) = $2 AND letter.body_removed_at IS NULL
ORDER BY letter.id
FOR UPDATE
