-- Records of the CRM: those with an external id, with a number, or bound to a person. $1 text company, $2 text[]
-- external ids, $3 text[] numbers in E.164 form, $4 text[] person_keys.
SELECT
    external_person_id, mdn, mdn_e164, carrier_code, custom_fields, field_times, updated_at, received_at, person_id,
    person_key
FROM crm_persons
WHERE (company_key, external_person_id) IN (
    SELECT company_key, external_person_id FROM crm_persons WHERE company_key = $1 AND external_person_id = ANY ($2)
    UNION
    SELECT company_key, external_person_id FROM crm_persons WHERE company_key = $1 AND mdn_e164 = ANY ($3)
    UNION
    SELECT company_key, external_person_id FROM crm_persons WHERE company_key = $1 AND person_key = ANY ($4)
)
ORDER BY external_person_id
