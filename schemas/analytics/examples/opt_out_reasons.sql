-- How many left because they wanted to, how many for other reasons?
SELECT own_wish, opt_out_reason, sum(opt_outs) AS opt_outs
FROM analytics.opt_out_reasons
GROUP BY own_wish, opt_out_reason
ORDER BY opt_outs DESC, opt_out_reason
LIMIT 6
