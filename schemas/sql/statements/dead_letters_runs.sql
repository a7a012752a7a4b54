-- Runs, the latest first, and how many letters came to each outcome. $1 uuid one of them; NULL: all. $2 bigint how many.
SELECT
    runs.run_id, runs.action, runs.requested_by, runs.note, runs.filter, runs.remove_body, runs.rate, runs.status,
    runs.started_at, runs.saved_at, runs.finished_at, runs.up_to_id, runs.after_id, runs.total,
    coalesce(history.counts, '{}') AS counts
FROM dead_letter_runs AS runs
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(counted.outcome, counted.letters) AS counts
    FROM (
        SELECT outcome, count(*) AS letters FROM dead_letter_history WHERE run_id = runs.run_id GROUP BY outcome
    ) AS counted
) AS history
WHERE $1::uuid IS NULL OR runs.run_id = $1
ORDER BY runs.started_at DESC, runs.run_id
LIMIT $2::bigint
