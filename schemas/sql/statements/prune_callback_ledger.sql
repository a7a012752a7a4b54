-- Forget the keys of events, in some blocks of the ledger, that were received before $3: $1 tid first row, $2 tid behind
-- the last. One that somebody has in hand is left for the next time, so nobody is waited for.
WITH old AS (
    SELECT ctid FROM callback_ledger
    WHERE ctid >= $1::tid AND ctid < $2::tid AND seen_at < $3::timestamptz
    FOR UPDATE SKIP LOCKED
)
DELETE FROM callback_ledger WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))
