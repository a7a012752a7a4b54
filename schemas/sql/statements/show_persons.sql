-- Persons as the mirror has them. $1 text company, $2 uuid[] persons.
SELECT
    person_uid, person_id, person_key, external_person_id, mdn, mdn_e164, carrier_code, timezone, timezone_source,
    custom_fields, profile_at IS NOT NULL AS hydrated, profile_at, vibes_created_at, vibes_updated_at
FROM persons
WHERE company_key = $1 AND person_uid = ANY ($2::uuid[])
ORDER BY coalesce(vibes_updated_at, seen_mdn_at, seen_external_person_id_at) DESC NULLS LAST, person_uid
