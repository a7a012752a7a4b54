INSERT INTO callback_messages (
    message_id, company_key, ingest_id, acknowledged, received_at, outcomes,
    applied, duplicates, quarantined, dead_lettered, applied_at
)
SELECT
    md5('message/' || number)::uuid, company_key, 'history', number * 100,
    began + interval '1 second' * (31622400.0 * number * 100 / events), repeat('a', 100), 100, 0, 0, 0, ended
FROM history
CROSS JOIN generate_series(0, events / 100 + 1) AS number
