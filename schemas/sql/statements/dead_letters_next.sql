-- The next dead letters of a run, in the order of their ids. $1 text company, $2 text kind, $3 text stage, $4 text reason,
-- $5 text callback type, $6 and $7 timestamptz when it was set aside, $8 bigint[] ids, $9 text status; NULL: any.
-- $10 bigint the id to begin behind, $11 bigint the last id, $12 bigint how many, $13 bigint bytes of bodies; one letter
-- at least.
SELECT
    id, company_key, kind, stage, reason, body, callback_type, event_id, received_at, source_ip, method, endpoint, headers,
    message_id, position
FROM (
    SELECT letter.*, sum(octet_length(letter.body)) OVER (ORDER BY letter.id) - octet_length(letter.body) AS bytes_before
    FROM (
        SELECT letter.*
        FROM dead_letters AS letter
        WHERE ($1::text IS NULL OR letter.company_key = $1)
          AND ($2::text IS NULL OR letter.kind = $2)
          AND ($3::text IS NULL OR letter.stage = $3)
          AND ($4::text IS NULL OR letter.reason = $4)
          AND ($5::text IS NULL OR letter.callback_type = $5)
          AND ($6::timestamptz IS NULL OR letter.created_at >= $6)
          AND ($7::timestamptz IS NULL OR letter.created_at < $7)
          AND ($8::bigint[] IS NULL OR letter.id = ANY ($8))
          AND ($9::text IS NULL OR dead_letter_status(letter) = $9)
          AND letter.id > $10::bigint
          AND letter.id <= $11::bigint
        ORDER BY letter.id
        LIMIT $12::bigint
    ) AS letter
) AS letter
WHERE bytes_before < $13::bigint
ORDER BY id
