-- Keep how far a run is. $1 uuid run, $2 bigint the cursor.
UPDATE dead_letter_runs SET after_id = $2, saved_at = now() WHERE run_id = $1
