-- Which lists are there, how large are they, and which were archived?
SELECT list_id, name, first_opt_in_day, subscribers, archived_at
FROM analytics.subscription_lists
ORDER BY subscribers DESC, list_id
LIMIT 5
