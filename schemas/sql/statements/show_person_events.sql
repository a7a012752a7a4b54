-- The last events that name some persons by person_id, without their bodies. $1 text company, $2 text[] person_ids,
-- $3 bigint how many at most.
SELECT callback_type, event_date, received_at, list_id, reason
FROM callback_events
WHERE company_key = $1 AND person_id = ANY ($2::text[])
ORDER BY received_at DESC, callback_type
LIMIT $3::bigint
