-- How many passes are installed with each provider?
SELECT provider, count(*) AS passes, count(*) FILTER (WHERE installed) AS installed
FROM analytics.wallet_items
GROUP BY provider
ORDER BY provider
