-- Take the rows of persons that are being merged out of the mirror. $1 uuid[] persons. Returns them.
DELETE FROM persons WHERE person_uid = ANY ($1::uuid[])
RETURNING
    person_uid, person_id, person_key,
    seen_external_person_id, seen_external_person_id_at, seen_mdn, seen_mdn_e164, seen_mdn_at,
    profile_at, profile_event_date, profile_digest, profile_external_person_id, profile_mdn, profile_mdn_e164,
    carrier_code, timezone, timezone_source, custom_fields, vibes_created_at, vibes_updated_at
