-- Remove dead letters that are dealt with, in some blocks of dead_letters, with their history, if they were set aside
-- before $3: $1 tid first row, $2 tid behind the last. What waits for somebody to decide stays.
WITH old AS (
    SELECT ctid, id FROM dead_letters AS letter
    WHERE ctid >= $1::tid AND ctid < $2::tid AND created_at < $3::timestamptz AND dead_letter_status(letter) <> 'open'
    FOR UPDATE SKIP LOCKED
),
history AS (
    DELETE FROM dead_letter_history WHERE letter_id = ANY (ARRAY(SELECT id FROM old))
)
DELETE FROM dead_letters WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))
