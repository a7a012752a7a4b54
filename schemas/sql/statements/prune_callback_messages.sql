-- Forget what became of each callback, in some blocks of callback_messages, that was received before $3: $1 tid first
-- row, $2 tid behind the last. The sums in callback_accounts stay.
WITH old AS (
    SELECT ctid FROM callback_messages
    WHERE ctid >= $1::tid AND ctid < $2::tid AND received_at < $3::timestamptz
    FOR UPDATE SKIP LOCKED
)
DELETE FROM callback_messages WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))
