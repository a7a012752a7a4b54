-- Eight of ten events tell of the stays, one of a profile, one of something else. Only the others have bodies: nothing
-- reads those of the first.
INSERT INTO callback_events (
    company_key, callback_type, event_id, event_date, received_at, person_id, person_key, external_person_id, list_id,
    reason, payload, endpoint, message_id, position
)
SELECT
    company_key, callback_type, event_id, event_date, received_at, person_id, NULL, NULL, list_id, reason, payload,
    'main', pg_temp.message_id(received_at, history), row_number() OVER ()
FROM history
CROSS JOIN LATERAL (
    SELECT *, event_date + interval '1 second' * (0.5 + 20 * random() ^ 12 * 3600) AS received_at
    FROM (
        SELECT told.*, p.person_id, s.list_id, '{}'::jsonb AS payload
        FROM subscriptions AS s
        JOIN persons AS p USING (person_uid)
        CROSS JOIN LATERAL (VALUES
            ('subscription_added', opt_in_event_id, opt_in_date, NULL),
            ('subscription_removed', opt_out_event_id, opt_out_date, opt_out_reason)
        ) AS told (callback_type, event_id, event_date, reason)
        WHERE told.event_date IS NOT NULL
        UNION ALL
        SELECT
            'person_updated', 'profile-' || number, pg_temp.moment(history, 1), NULL,
            (10000000 + number % persons)::text, NULL, '{}'
        FROM generate_series(1, events / 10) AS number
        UNION ALL
        SELECT callback_type, event_id, at, reason, person_id, list_id, payload FROM pg_temp.others
    ) AS told
) AS events
