-- In which hours did most callbacks come?
SELECT hour, sum(callbacks) AS callbacks, sum(callbacks) FILTER (WHERE outcome = 'duplicate') AS duplicates
FROM analytics.callback_volume
GROUP BY hour
ORDER BY callbacks DESC, hour
LIMIT 5
