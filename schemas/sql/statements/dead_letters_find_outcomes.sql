-- What became of the callbacks of some broker messages, to be changed. $1 uuid[] message ids.
SELECT message_id, outcomes FROM callback_messages WHERE message_id = ANY ($1::uuid[]) ORDER BY message_id FOR UPDATE
