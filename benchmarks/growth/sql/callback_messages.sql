INSERT INTO callback_messages (
    message_id, company_key, ingest_id, acknowledged, received_at, outcomes,
    applied, duplicates, quarantined, dead_lettered, applied_at
)
SELECT
    message_id, company_key, 'history', (number + 1) * 100, received_at, repeat('a', 100),
    100, 0, 0, 0, received_at
FROM pg_temp.messages
