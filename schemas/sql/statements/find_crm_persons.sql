-- Records of the CRM. $1 text company, $2 text[] external ids.
SELECT external_person_id, mdn, carrier_code, custom_fields, field_times, updated_at
FROM crm_persons
WHERE company_key = $1 AND external_person_id = ANY ($2::text[])
