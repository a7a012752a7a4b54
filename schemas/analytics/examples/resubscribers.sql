-- Who comes back: after which reason of leaving, and after how long?
SELECT
    left_reason,
    count(*) AS returns,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY days_away)::numeric, 1) AS median_days_away,
    count(*) FILTER (WHERE left_again_at IS NOT NULL) AS left_again
FROM analytics.resubscribers
GROUP BY left_reason
ORDER BY returns DESC, left_reason
LIMIT 5
