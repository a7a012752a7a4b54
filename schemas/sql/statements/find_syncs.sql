-- Rows of the outbox. $1 text company, $2 uuid[] whom they are about.
SELECT
    person_uid, external_person_id, status, bulk, attempts, next_attempt_at, last_error, last_status, last_route,
    last_message, requested_at, finished_at, resolved_at, resolution
FROM person_sync
WHERE company_key = $1 AND person_uid = ANY ($2::uuid[])
ORDER BY external_person_id, person_uid
