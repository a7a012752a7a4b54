-- What people have noted about replays and discards of dead letters.
SELECT run_id, note FROM dead_letter_runs WHERE note IS NOT NULL
