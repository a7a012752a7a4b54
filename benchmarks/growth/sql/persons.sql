-- In no order, so that those the traffic is about are all over the table.
-- Of the persons the traffic is about nobody has told the profile yet: like those that are new, they are to be read
-- from Vibes when they subscribe, so that every size of the history gives the worker the same work.
INSERT INTO persons (
    person_uid, company_key, person_id, person_key,
    profile_at, profile_event_date, profile_digest, profile_external_person_id, profile_mdn, profile_mdn_e164,
    carrier_code, timezone, timezone_source, custom_fields, vibes_created_at, vibes_updated_at,
    seen_external_person_id, seen_external_person_id_at, seen_mdn, seen_mdn_e164, seen_mdn_at
)
SELECT
    pg_temp.person_uid(company_key, person_id), company_key, person_id, person_key,
    profile_at, profile_at, CASE WHEN profiled THEN md5(person::text)::uuid END,
    CASE WHEN profiled THEN external_person_id END, CASE WHEN profiled THEN mdn END, CASE WHEN profiled THEN mdn END,
    CASE WHEN profiled THEN '104' END,
    CASE WHEN profiled THEN 'US/Central' END,
    CASE WHEN profiled THEN 'area_code' END,
    CASE WHEN profiled THEN jsonb_build_object(
        'first_name', 'Steve', 'birthdate', '1950-12-01T00:00:00Z', 'rewards_id', person::text
    ) ELSE '{}' END,
    profile_at, profile_at,
    external_person_id, seen_at, mdn, mdn, seen_at
FROM (
    SELECT
        told.*,
        pg_temp.person_id(person) AS person_id,
        pg_temp.person_key(person, keys.person_key) AS person_key,
        'crm-' || person AS external_person_id,
        pg_temp.mdn(person) AS mdn,
        keys.person IS NULL AS profiled,
        CASE WHEN keys.person IS NULL THEN seen_at END AS profile_at
    FROM (
        SELECT company_key, number * 2 AS person, began - behind AS seen_at
        FROM history
        CROSS JOIN generate_series(0, persons - 1) AS number
        ORDER BY hashint8(number)
    ) AS told
    LEFT JOIN person_keys AS keys USING (person)
    OFFSET 0
) AS told
