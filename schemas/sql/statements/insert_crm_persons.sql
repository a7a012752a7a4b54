-- Make sure some records of the CRM have a row, and lock these rows, in the order of their keys, so that no two
-- transactions wait for each other in a circle. A row that is there stays as it is. $1 text company; then arrays, one
-- element a record, in the order of the columns. Returns the ids of the rows that were not there.
INSERT INTO crm_persons AS crm (
    company_key, external_person_id, mdn, mdn_e164, carrier_code, custom_fields, field_times, updated_at, received_at
)
SELECT $1, told.*
FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[], $8::timestamptz[], $9::timestamptz[]
) AS told (
    external_person_id, mdn, mdn_e164, carrier_code, custom_fields, field_times, updated_at, received_at
)
ORDER BY told.external_person_id
-- Never true, but a row is locked before that is looked at.
ON CONFLICT (company_key, external_person_id) DO UPDATE SET updated_at = crm.updated_at WHERE false
RETURNING external_person_id
