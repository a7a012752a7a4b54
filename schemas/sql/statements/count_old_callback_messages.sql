-- Of how many broker messages, received before $1, the outcome of each callback is still there.
SELECT count(*) FROM callback_messages WHERE received_at < $1::timestamptz
