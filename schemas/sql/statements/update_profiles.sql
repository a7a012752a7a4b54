-- Replace the profiles of some persons where the one told has the greater version (workers/mirror/fold.py).
-- Their rows exist and are locked: upsert_persons came before. Arrays, one element a person, in the order of the columns.
UPDATE persons AS p SET
    profile_at = told.profile_at,
    profile_event_date = told.profile_event_date,
    profile_digest = told.profile_digest,
    profile_external_person_id = told.external_person_id,
    profile_mdn = told.mdn,
    profile_mdn_e164 = told.mdn_e164,
    carrier_code = told.carrier_code,
    timezone = told.timezone,
    timezone_source = told.timezone_source,
    custom_fields = told.custom_fields,
    vibes_created_at = told.created_at,
    vibes_updated_at = told.updated_at
FROM unnest(
    $1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::jsonb[], $12::timestamptz[], $13::timestamptz[]
) AS told (
    person_uid, profile_at, profile_event_date, profile_digest, external_person_id, mdn, mdn_e164, carrier_code,
    timezone, timezone_source, custom_fields, created_at, updated_at
)
WHERE p.person_uid = told.person_uid
  AND (told.profile_at, told.profile_event_date, told.profile_digest) > (
      coalesce(p.profile_at, '-infinity'),
      coalesce(p.profile_event_date, '-infinity'),
      coalesce(p.profile_digest, '00000000-0000-0000-0000-000000000000')
  )
