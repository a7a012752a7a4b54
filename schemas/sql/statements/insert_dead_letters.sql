-- Set aside what could not be read or applied. Arrays, one element a callback, in the order of the columns.
INSERT INTO dead_letters (
    company_key, kind, stage, reason, detail, body, callback_type, event_id, received_at,
    source_ip, method, endpoint, headers, message_id, position
)
SELECT *
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::timestamptz[],
    $10::text[], $11::text[], $12::text[], $13::jsonb[], $14::uuid[], $15::integer[]
)
ON CONFLICT (message_id, position) DO NOTHING
