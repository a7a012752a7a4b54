-- All letters of a run are dealt with. $1 uuid run.
UPDATE dead_letter_runs SET status = 'finished', finished_at = now() WHERE run_id = $1
