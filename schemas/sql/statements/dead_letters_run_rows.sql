-- What a run did about each letter, in the order of their ids. $1 uuid run, $2 bigint how many.
SELECT letter_id, at, outcome, stage_before, reason_before, stage, reason, detail
FROM dead_letter_history
WHERE run_id = $1
ORDER BY letter_id
LIMIT $2::bigint
