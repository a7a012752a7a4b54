-- How many subscribers does each list have now?
SELECT list_id, count(*) AS subscribers
FROM analytics.current_subscribers
GROUP BY list_id
ORDER BY subscribers DESC, list_id
LIMIT 5
