-- Which broker messages were dealt with before. $1 uuid[] message ids.
SELECT message_id FROM callback_messages WHERE message_id = ANY ($1::uuid[])
