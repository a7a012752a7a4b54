INSERT INTO subscriptions (
    person_uid, company_key, list_id, opt_in_date, opt_in_event_id, opt_in_event_date,
    opt_out_date, opt_out_reason, opt_out_event_id, opt_out_event_date
)
SELECT
    pg_temp.person_uid(company_key, pg_temp.person_id(pg_temp.person_of(pair, persons))),
    company_key,
    pg_temp.list_of(pair),
    occurred_at - pair % 50 * interval '1 millisecond',
    pg_temp.event_id(pair * 2),
    occurred_at,
    occurred_at,
    'user_opt_out',
    pg_temp.event_id(pair * 2 + 1),
    occurred_at
FROM (
    SELECT *, number * 50 + place / 2 AS pair
    FROM pg_temp.messages
    CROSS JOIN places
    WHERE callback_type = 'subscription_added'
    OFFSET 0
) AS told
