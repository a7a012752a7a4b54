-- Let syncs that this transaction put into the outbox wait for those that follow from what just happened. $1 text company,
-- $2 uuid[] persons.
UPDATE person_sync SET bulk = true
WHERE company_key = $1 AND person_uid = ANY ($2::uuid[]) AND desired_version = 1 AND requested_at = now()
