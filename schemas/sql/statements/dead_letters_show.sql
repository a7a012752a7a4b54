-- All that is known about a dead letter. $1 bigint id.
SELECT
    dead_letter_status(letter) AS status,
    letter.created_at AS first_seen_at,
    coalesce(letter.last_seen_at, letter.created_at) AS seen_last_at,
    letter.*
FROM dead_letters AS letter
WHERE letter.id = $1
