-- Of the sign-ups to each campaign, how many were confirmed, refused, or not answered?
SELECT
    campaign_description,
    sum(sign_ups) AS sign_ups,
    sum(confirmed) AS confirmed,
    sum(rejected) AS rejected,
    sum(expired) AS expired
FROM analytics.participation_funnel
GROUP BY campaign_description
ORDER BY sign_ups DESC, campaign_description
LIMIT 5
