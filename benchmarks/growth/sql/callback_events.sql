-- The payload is that of another event of the type, and as long: to compose them all would take longer than the rest.
INSERT INTO callback_events (
    company_key, callback_type, event_id, event_date, received_at,
    person_id, person_key, external_person_id, list_id, reason, payload, endpoint, message_id, position
)
SELECT
    company_key, callback_type, pg_temp.event_id(pair * 2 + place % 2), occurred_at, received_at,
    pg_temp.person_id(person),
    CASE WHEN subscription THEN pg_temp.person_key(person, keys.person_key) END,
    'crm-' || person,
    CASE WHEN subscription THEN pg_temp.list_of(pair) END,
    reason, payload, 'main', message_id, place
FROM (
    SELECT *, number * 50 + place / 2 AS pair, pg_temp.person_of(number * 50 + place / 2, persons) AS person
    FROM pg_temp.messages
    CROSS JOIN places
    OFFSET 0
) AS told
LEFT JOIN person_keys AS keys USING (person)
