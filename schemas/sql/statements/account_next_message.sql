-- The message after the $3 next ones, of those with an id from $1 on and below $2; NULL when there are not so many.
SELECT message_id
FROM callback_messages
WHERE message_id >= $1 AND message_id < $2
ORDER BY message_id
OFFSET $3
LIMIT 1
