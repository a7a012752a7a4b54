INSERT INTO callback_ledger (callback_key, body_hash, seen_at)
SELECT
    encode(
        substring(
            sha256(
                (company_key || '\000' || callback_type || '\000' || pg_temp.event_id(number * 100 + place))::bytea
            ) FOR 16
        ),
        'hex'
    )::uuid,
    md5((number * 100 + place)::text)::uuid,
    received_at
FROM pg_temp.messages
CROSS JOIN places
