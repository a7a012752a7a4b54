-- How many dead letters of each sort are open. It reads nothing but their index.
SELECT company_key, stage, reason, count(*) AS letters
FROM dead_letters
WHERE replayed_at IS NULL AND discarded_at IS NULL AND erased_at IS NULL
GROUP BY company_key, stage, reason
ORDER BY company_key, stage, reason
