INSERT INTO persons (
    person_uid, company_key, person_id, person_key, profile_at, profile_event_date, profile_digest,
    profile_external_person_id, profile_mdn, profile_mdn_e164, carrier_code, timezone, timezone_source, custom_fields,
    vibes_created_at, vibes_updated_at
)
SELECT
    pg_temp.person_uid(number), company_key, (10000000 + number)::text, 'key-' || number, began, began,
    md5(number::text)::uuid, 'crm-' || number, '+1312' || 1000000 + number, '+1312' || 1000000 + number, '104',
    (ARRAY['US/Central', 'US/Eastern', 'US/Pacific'])[1 + number % 3], 'area_code',
    jsonb_build_object('first_name', 'Steve', 'zip', 60600 + number % 100), began, began
FROM history
CROSS JOIN generate_series(0, persons - 1) AS number
