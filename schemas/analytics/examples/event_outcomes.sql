-- What became of the events we submitted?
SELECT event_type, action_type, status, count(*) AS events
FROM analytics.event_outcomes
GROUP BY event_type, action_type, status
ORDER BY events DESC, event_type, action_type, status
LIMIT 5
