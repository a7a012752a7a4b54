-- Which part of those who joined in each month was still there after one, three and six months?
SELECT
    cohort_month,
    sum(cohort_size) FILTER (WHERE months = 0) AS joined,
    round(sum(survivors) FILTER (WHERE months = 1) / sum(cohort_size) FILTER (WHERE months = 1), 2) AS after_1_month,
    round(sum(survivors) FILTER (WHERE months = 3) / sum(cohort_size) FILTER (WHERE months = 3), 2) AS after_3_months,
    round(sum(survivors) FILTER (WHERE months = 6) / sum(cohort_size) FILTER (WHERE months = 6), 2) AS after_6_months
FROM (SELECT *, months_since_opt_in AS months FROM analytics.list_churn) AS churn
WHERE cohort_month BETWEEN '2024-01-01' AND '2024-06-01'
GROUP BY cohort_month
ORDER BY cohort_month
