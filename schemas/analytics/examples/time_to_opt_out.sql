-- How soon do people leave after they joined, by reason?
SELECT
    opt_out_reason,
    sum(opt_outs) AS opt_outs,
    round(sum(within_7_days) / sum(opt_outs), 2) AS within_7_days,
    round(sum(within_30_days) / sum(opt_outs), 2) AS within_30_days,
    round((sum(mean_days * opt_outs) / sum(opt_outs))::numeric, 1) AS mean_days
FROM analytics.time_to_opt_out
GROUP BY opt_out_reason
ORDER BY opt_outs DESC, opt_out_reason
LIMIT 5
