-- Write records of the CRM whose rows are locked: insert_crm_persons came before. $1 text company; then arrays, one
-- element a record, in the order of the columns; received_at NULL: nothing that was received changed what it wants.
-- mdn_e164 is kept where the number is the same: whoever wrote it may have known the country that is not known now.
UPDATE crm_persons AS crm SET
    mdn = told.mdn,
    mdn_e164 = CASE
        WHEN crm.mdn IS NOT DISTINCT FROM told.mdn THEN coalesce(crm.mdn_e164, told.mdn_e164) ELSE told.mdn_e164
    END,
    carrier_code = told.carrier_code,
    custom_fields = told.custom_fields,
    field_times = told.field_times,
    updated_at = told.updated_at,
    received_at = greatest(crm.received_at, told.received_at)
FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[], $8::timestamptz[], $9::timestamptz[]
) AS told (
    external_person_id, mdn, mdn_e164, carrier_code, custom_fields, field_times, updated_at, received_at
)
WHERE crm.company_key = $1 AND crm.external_person_id = told.external_person_id
