-- What was done about a dead letter, the oldest first. $1 bigint id.
SELECT
    history.at, runs.action, history.outcome, runs.requested_by, runs.note, history.run_id, history.stage_before,
    history.reason_before, history.stage, history.reason, history.detail
FROM dead_letter_history AS history
JOIN dead_letter_runs AS runs USING (run_id)
WHERE history.letter_id = $1
ORDER BY history.at, history.run_id
