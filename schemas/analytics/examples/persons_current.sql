-- In which time zones are the persons that have a phone number?
SELECT timezone, count(*) AS persons
FROM analytics.persons_current
WHERE mdn IS NOT NULL
GROUP BY timezone
ORDER BY persons DESC, timezone
LIMIT 5
