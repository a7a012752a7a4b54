-- Which messages sound like an opt-out that Vibes did not see as one?
SELECT receipt_date, mdn, message
FROM analytics.inbound_messages
WHERE message ~* '\y(stop|unsubscribe|remove me|no more)\y'
ORDER BY receipt_date DESC, message_id
LIMIT 5
