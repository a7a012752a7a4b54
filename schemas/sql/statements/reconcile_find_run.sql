-- The run that was not finished, of the same company and options. $1 text company, $2 jsonb options.
SELECT run_id, started_at, after_uid, after_record, persons, calls, found, repaired, failed
FROM reconciliations
WHERE company_key = $1 AND options = $2::jsonb AND status = 'unfinished'
ORDER BY started_at DESC
LIMIT 1
