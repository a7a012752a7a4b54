-- Records of the CRM by their own id, by whom they are bound to, or by their number. $1 text company; text[]:
-- $2 person_ids, $3 person_keys, $4 external ids, $5 numbers.
SELECT external_person_id, mdn, mdn_e164, person_id, person_key
FROM crm_persons
WHERE company_key = $1
  AND (
      external_person_id = ANY ($4::text[])
      OR person_id = ANY ($2::text[])
      OR person_key = ANY ($3::text[])
      OR mdn_e164 = ANY ($5::text[])
      OR (mdn_e164 IS NULL AND mdn = ANY ($5::text[]))
  )
ORDER BY external_person_id
