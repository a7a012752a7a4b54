-- How many events were received before $1, whose keys the ledger still has.
SELECT count(*) FROM callback_ledger WHERE seen_at < $1::timestamptz
