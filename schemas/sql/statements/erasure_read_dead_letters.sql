-- Dead letters of a company, and of nobody knows which, up to a moment, in the order of their ids. $1 text company,
-- $2 timestamptz, $3 bigint the id to begin behind, $4 bigint how many.
SELECT id, body, headers ->> 'content-encoding' AS content_encoding
FROM dead_letters
WHERE id > $3::bigint
  AND (company_key = $1 OR company_key IS NULL)
  AND created_at <= $2::timestamptz
  AND erased_at IS NULL
ORDER BY id
LIMIT $4::bigint
