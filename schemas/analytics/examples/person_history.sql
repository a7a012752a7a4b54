-- What do we know about somebody who came back, in the order in which it happened?
SELECT event_date, callback_type, list_id, reason, mdn
FROM analytics.person_history
WHERE person_uid = (
        SELECT person_uid FROM analytics.resubscribers ORDER BY company_key, list_id, returned_at, person_uid LIMIT 1
    )
    AND received_at >= '2024-01-01 00:00+00'
ORDER BY event_date, callback_type, event_id
LIMIT 6
