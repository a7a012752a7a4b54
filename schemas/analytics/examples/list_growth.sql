-- How did each list grow in each quarter?
SELECT date_trunc('quarter', day::timestamp)::date AS quarter, list_id, sum(net_growth) AS growth
FROM analytics.list_growth
GROUP BY quarter, list_id
ORDER BY quarter, growth DESC, list_id
LIMIT 5
