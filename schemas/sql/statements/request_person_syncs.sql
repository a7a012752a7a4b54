-- Put persons into the outbox: those we have no profile of, if $3, and those the CRM knows, if $4.
-- $1 text company, $2 uuid[] persons. Returns those that are due now; should their message get lost, a sweep finds them
-- 15 seconds later.
INSERT INTO person_sync AS sync (company_key, person_uid, status, desired_version, next_attempt_at)
SELECT p.company_key, p.person_uid, 'pending', 1, now() + interval '15 seconds'
FROM persons AS p
WHERE p.person_uid = ANY ($2::uuid[])
  AND (
      ($3::boolean AND p.profile_at IS NULL)
      OR (
          $4::boolean AND (
              EXISTS (
                  SELECT FROM crm_persons AS crm
                  WHERE crm.company_key = $1 AND crm.external_person_id = p.external_person_id
              )
              OR EXISTS (SELECT FROM crm_persons AS crm WHERE crm.company_key = $1 AND crm.mdn_e164 = p.mdn_e164)
          )
      )
  )
ORDER BY p.person_uid
ON CONFLICT (company_key, person_uid) DO UPDATE SET
    status = 'pending',
    desired_version = sync.desired_version + 1,
    next_attempt_at = excluded.next_attempt_at,
    requested_at = now()
WHERE sync.status <> 'conflict'
RETURNING person_uid
