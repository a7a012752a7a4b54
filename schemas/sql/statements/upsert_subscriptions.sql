-- Fold what was told of stays into their rows: the first opt-in and the earliest opt-out are kept, and no opt-in undoes
-- an opt-out (workers/mirror/fold.py). $1 text company; then arrays, one element a stay, in the order of the columns.
INSERT INTO subscriptions AS s (
    company_key, person_uid, list_id, opt_in_date, opt_in_event_id, opt_in_event_date, acquisition_campaign_id,
    opt_out_date, opt_out_reason, opt_out_event_id, opt_out_event_date
)
SELECT $1, told.*
FROM unnest(
    $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
    $8::timestamptz[], $9::text[], $10::text[], $11::timestamptz[]
) AS told (
    person_uid, list_id, opt_in_date, opt_in_event_id, opt_in_event_date, acquisition_campaign_id,
    opt_out_date, opt_out_reason, opt_out_event_id, opt_out_event_date
)
ORDER BY told.person_uid, told.list_id, told.opt_in_date
ON CONFLICT (person_uid, list_id, opt_in_date) DO UPDATE SET
    (opt_in_event_id, opt_in_event_date) = (
        SELECT event_id, event_date
        FROM (VALUES
            (s.opt_in_event_id, s.opt_in_event_date), (excluded.opt_in_event_id, excluded.opt_in_event_date)
        ) AS told (event_id, event_date)
        ORDER BY event_date NULLS LAST, event_id
        LIMIT 1
    ),
    acquisition_campaign_id = least(s.acquisition_campaign_id, excluded.acquisition_campaign_id),
    (opt_out_date, opt_out_reason, opt_out_event_id, opt_out_event_date) = (
        SELECT date, reason, event_id, event_date
        FROM (VALUES
            (s.opt_out_date, s.opt_out_reason, s.opt_out_event_id, s.opt_out_event_date),
            (excluded.opt_out_date, excluded.opt_out_reason, excluded.opt_out_event_id, excluded.opt_out_event_date)
        ) AS told (date, reason, event_id, event_date)
        ORDER BY date NULLS LAST, event_date, event_id, coalesce(reason, '')
        LIMIT 1
    )
