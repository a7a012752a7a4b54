-- Stays of a year: most have ended, a few people come back, some lists and reasons are much more frequent than others.
INSERT INTO subscriptions (
    person_uid, company_key, list_id, opt_in_date, opt_in_event_id, opt_in_event_date, acquisition_campaign_id,
    opt_out_date, opt_out_reason, opt_out_event_id, opt_out_event_date
)
SELECT
    pg_temp.person_uid(person), company_key, list_id, opt_in_date, 'in-' || number, opt_in_date, campaign,
    opt_out_date,
    CASE WHEN opt_out_date IS NOT NULL THEN reason END,
    CASE WHEN opt_out_date IS NOT NULL THEN 'out-' || number END,
    opt_out_date
FROM (
    SELECT
        *,
        CASE WHEN opt_in_date + lasts < ended AND place > 0.2 THEN opt_in_date + lasts END AS opt_out_date
    FROM (
        SELECT
            company_key, ended, number,
            floor(random() * persons)::bigint AS person,
            'L' || floor(24 * random() * random())::integer AS list_id,
            date_trunc('second', began + (ended - began) * random()) AS opt_in_date,
            CASE WHEN random() < 0.7 THEN 'ACQ' || floor(20 * random())::integer END AS campaign,
            (ARRAY[
                'keyword_opt_out', 'keyword_opt_out', 'keyword_opt_out', 'keyword_opt_out', 'user_opt_out',
                'user_opt_out', 'bulk_opt_out', 'list_archived', 'disconnect', 'failed_at_carrier'
            ])[1 + floor(10 * random())::integer] AS reason,
            date_trunc('second', interval '60 days' * -ln(1 - random())) AS lasts,
            random() AS place
        FROM history
        CROSS JOIN generate_series(1, events * 48 / 100) AS number
        OFFSET 0
    ) AS drawn
    OFFSET 0
) AS told
ON CONFLICT DO NOTHING
