-- Of those who joined each list in March, how many left within 30 days?
SELECT list_id, count(*) AS joined, count(*) FILTER (WHERE days < 30) AS left_within_30_days
FROM analytics.subscription_stays
WHERE opt_in_date >= '2024-03-01 00:00+00' AND opt_in_date < '2024-04-01 00:00+00'
GROUP BY list_id
ORDER BY list_id
LIMIT 5
