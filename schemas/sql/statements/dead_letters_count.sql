-- How many dead letters of each sort there are, and the greatest id of all. $1 text company, $2 text kind, $3 text stage, $4 text reason,
-- $5 text callback type, $6 and $7 timestamptz when it was set aside, $8 bigint[] ids, $9 text status; NULL: any.
SELECT
    letter.company_key,
    dead_letter_status(letter) AS status,
    letter.kind,
    letter.stage,
    letter.reason,
    letter.callback_type,
    count(*) AS letters,
    min(letter.created_at) AS first_seen_at,
    max(coalesce(letter.last_seen_at, letter.created_at)) AS last_seen_at,
    max(letter.id) AS greatest_id
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
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY letters DESC, 1, 2, 3, 4, 5, 6
