-- Records of the CRM that are about a person: those asked for by their own id, those bound to the person's ids, and of
-- those bound to nobody the ones with an external id that only this person has, or, for a person without one, the only
-- record with their number. $1 text company, $2 uuid[] the person, as the mirror has it; text[]: $3 person_ids,
-- $4 person_keys, $5 external ids asked for.
SELECT crm.external_person_id, crm.mdn, crm.mdn_e164, crm.person_id, crm.person_key
FROM crm_persons AS crm
WHERE crm.company_key = $1
  AND (
      crm.external_person_id = ANY ($5::text[])
      OR crm.person_id = ANY ($3::text[])
      OR crm.person_key = ANY ($4::text[])
      OR (
          crm.person_id IS NULL
          AND crm.person_key IS NULL
          AND crm.external_person_id IN (
              SELECT p.external_person_id FROM persons AS p WHERE p.company_key = $1 AND p.person_uid = ANY ($2::uuid[])
          )
          AND NOT EXISTS (
              SELECT FROM persons AS other
              WHERE other.company_key = $1
                AND other.external_person_id = crm.external_person_id
                AND other.person_uid <> ALL ($2::uuid[])
          )
      )
      OR (
          crm.person_id IS NULL
          AND crm.person_key IS NULL
          AND crm.mdn_e164 IN (
              SELECT p.mdn_e164
              FROM persons AS p
              WHERE p.company_key = $1 AND p.person_uid = ANY ($2::uuid[]) AND p.external_person_id IS NULL
          )
          AND NOT EXISTS (
              SELECT FROM crm_persons AS other
              WHERE other.company_key = $1
                AND other.mdn_e164 = crm.mdn_e164
                AND other.external_person_id <> crm.external_person_id
          )
          AND NOT EXISTS (
              SELECT FROM persons AS other
              WHERE other.company_key = $1
                AND other.external_person_id = crm.external_person_id
                AND other.person_uid <> ALL ($2::uuid[])
          )
      )
  )
