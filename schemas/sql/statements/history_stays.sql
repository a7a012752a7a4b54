-- How many stays a company, $1, has, by list and by how they ended.
SELECT list_id || ' ' || coalesce(opt_out_reason, 'subscribed') AS name, count(*)
FROM subscriptions
WHERE company_key = $1
GROUP BY list_id, opt_out_reason
