-- How many dead letters are dealt with, and were set aside before $1.
SELECT count(*) FROM dead_letters AS letter WHERE created_at < $1::timestamptz AND dead_letter_status(letter) <> 'open'
