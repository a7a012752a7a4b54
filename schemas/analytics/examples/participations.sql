-- Who signed up last, and what became of it?
SELECT participation_date, campaign_id, keyword, mdn, outcome
FROM analytics.participations
ORDER BY participation_date DESC NULLS LAST, event_id
LIMIT 5
