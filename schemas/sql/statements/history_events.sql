-- How many events of each type a company, $1, has.
SELECT callback_type AS name, count(*) FROM callback_events WHERE company_key = $1 GROUP BY callback_type
