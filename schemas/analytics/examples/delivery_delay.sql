-- Which part of the events of each month came within a minute, and how many took more than a day?
SELECT
    date_trunc('month', day::timestamp)::date AS month,
    sum(events) AS events,
    round(sum(within_1_minute) / sum(events - undated), 3) AS within_1_minute,
    sum(later) AS later_than_a_day
FROM analytics.delivery_delay
GROUP BY month
ORDER BY month
LIMIT 5
