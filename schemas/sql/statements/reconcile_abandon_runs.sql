-- Give up the runs that were not finished, of the same company and options. $1 text company, $2 jsonb options.
UPDATE reconciliations SET status = 'abandoned', finished_at = now()
WHERE company_key = $1 AND options = $2::jsonb AND status = 'unfinished'
