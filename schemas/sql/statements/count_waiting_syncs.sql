-- How many syncs are still waiting. $1 text company; $2 uuid[] of these, or NULL: of all that were requested until
-- $3 timestamptz.
SELECT count(*)
FROM person_sync
WHERE company_key = $1
  AND status IN ('pending', 'postponed')
  AND CASE WHEN $2::uuid[] IS NULL THEN requested_at <= $3::timestamptz ELSE person_uid = ANY ($2::uuid[]) END
