-- Records of the CRM that may be about one person: those with one of some external ids, and, if there is only one, the
-- record with their number. $1 text company, $2 text[] external ids, $3 text number in E.164 form, NULL: not asked for.
SELECT
    external_person_id AS record_id, mdn AS crm_mdn, mdn_e164 AS crm_mdn_e164,
    mdn IS NULL AND field_times ? 'mdn' AS crm_removes_mdn, carrier_code AS crm_carrier_code,
    custom_fields AS crm_custom_fields, person_id AS crm_person_id, person_key AS crm_person_key
FROM crm_persons
WHERE company_key = $1 AND external_person_id = ANY ($2::text[])
UNION ALL
SELECT external_person_id, mdn, mdn_e164, mdn IS NULL AND field_times ? 'mdn', carrier_code,
    custom_fields, person_id, person_key
FROM crm_persons AS crm
WHERE company_key = $1 AND mdn_e164 = $3 AND external_person_id <> ALL ($2::text[])
  AND NOT EXISTS (
      SELECT FROM crm_persons AS other
      WHERE other.company_key = crm.company_key
        AND other.mdn_e164 = crm.mdn_e164
        AND other.external_person_id <> crm.external_person_id
  )
