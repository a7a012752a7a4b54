-- How far the outbox is with some records of the CRM. $1 text company, $2 uuid[] their uids (crm_record_uid).
SELECT person_uid, status FROM person_sync WHERE company_key = $1 AND person_uid = ANY ($2::uuid[])
