-- A person as the mirror has it. $1 text company, $2 uuid person.
SELECT
    person_id, person_key, profile_at, profile_event_date, profile_digest, external_person_id, mdn, mdn_e164,
    carrier_code, timezone, timezone_source, custom_fields, vibes_created_at
FROM persons
WHERE company_key = $1 AND person_uid = $2
