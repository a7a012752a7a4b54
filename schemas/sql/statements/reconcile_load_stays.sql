-- The stays of a person. $1 text company, $2 uuid person.
SELECT list_id, opt_in_date, opt_out_date, opt_out_reason
FROM subscriptions
WHERE company_key = $1 AND person_uid = $2
ORDER BY list_id, opt_in_date
