-- Every stay of some persons, the latest first. $1 text company, $2 uuid[] persons.
SELECT
    s.person_uid,
    s.list_id,
    nullif(s.opt_in_date, '-infinity') AS opt_in_date,
    s.opt_out_date,
    s.opt_out_reason,
    s.acquisition_campaign_id,
    current.person_uid IS NOT NULL AS subscribed
FROM subscriptions AS s
LEFT JOIN current_subscriptions AS current
    ON current.person_uid = s.person_uid AND current.list_id = s.list_id AND current.opt_in_date = s.opt_in_date
WHERE s.company_key = $1 AND s.person_uid = ANY ($2::uuid[])
ORDER BY s.opt_in_date DESC, s.list_id
