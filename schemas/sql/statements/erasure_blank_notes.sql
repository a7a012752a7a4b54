-- Take notes out of some runs. $1 uuid[] runs.
UPDATE dead_letter_runs SET note = NULL WHERE run_id = ANY ($1::uuid[])
