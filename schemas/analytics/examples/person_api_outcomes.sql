-- What came of our calls to Vibes?
SELECT outcome, sum(calls) AS calls, sum(retries) AS retries
FROM analytics.person_api_outcomes
GROUP BY outcome
ORDER BY calls DESC, outcome
