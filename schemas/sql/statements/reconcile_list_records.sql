-- The next records of the CRM that are bound to nobody and whose external id no person here has. Their order is that of
-- a hash, so that where a run has come to can be kept without keeping an id of the customer's. $1 text company, $2 bigint
-- after which hash, $3 bigint how many (NULL: all).
SELECT crm.external_person_id, hashtextextended(crm.external_person_id, 0) AS position
FROM crm_persons AS crm
WHERE crm.company_key = $1
  AND crm.person_id IS NULL
  AND crm.person_key IS NULL
  AND hashtextextended(crm.external_person_id, 0) > $2
  AND NOT EXISTS (
      SELECT FROM persons AS p
      WHERE p.company_key = crm.company_key AND p.external_person_id = crm.external_person_id
  )
ORDER BY position
LIMIT $3::bigint
