-- Begin a run. $1 uuid run, $2 text action, $3 text by whom, $4 text note, $5 jsonb filter, $6 boolean whether bodies are
-- removed, $7 double precision rate, $8 bigint the last letter, $9 bigint how many letters.
INSERT INTO dead_letter_runs (run_id, action, requested_by, note, filter, remove_body, rate, up_to_id, total)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9)
RETURNING started_at
