-- Record what became of the callbacks of some broker messages. Arrays, one element a message, in the order of the
-- columns. Returns the messages recorded; one that is missing was dealt with by another worker.
INSERT INTO callback_messages (
    message_id, company_key, ingest_id, acknowledged, received_at, outcomes,
    applied, duplicates, quarantined, dead_lettered
)
SELECT *
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[],
    $7::integer[], $8::integer[], $9::integer[], $10::integer[]
)
ON CONFLICT DO NOTHING
RETURNING message_id
