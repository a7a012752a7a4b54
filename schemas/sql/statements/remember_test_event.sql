-- Remember a test event, so that apply does not take it for a fact, and forget old ones. $1 text company, $2 text
-- event_id, $3 text callback type, $4 integer for how many days one is remembered.
WITH forgotten AS (
    DELETE FROM test_events WHERE requested_at < now() - make_interval(days => $4::integer)
)
INSERT INTO test_events (company_key, event_id, callback_type) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
