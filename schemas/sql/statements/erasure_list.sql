-- All requests to erase, the latest first. $1 text company; NULL: of all. No identifiers: those are nobody's to read.
SELECT
    erasure_id, company_key, requested_at, reason, local_only, status, vibes_outcome, last_error, erased_at,
    finished_at, counts
FROM erasures
WHERE $1::text IS NULL OR company_key = $1
ORDER BY requested_at DESC
