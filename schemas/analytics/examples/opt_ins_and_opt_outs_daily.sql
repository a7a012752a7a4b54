-- On which days did most people leave, and why?
SELECT day, opt_out_reason, sum(opt_outs) AS opt_outs
FROM analytics.opt_ins_and_opt_outs_daily
GROUP BY day, opt_out_reason
ORDER BY opt_outs DESC, day, opt_out_reason
LIMIT 5
