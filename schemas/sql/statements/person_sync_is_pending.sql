-- Whether a person is due now. $1 text company, $2 uuid person.
SELECT status = 'pending' FROM person_sync WHERE company_key = $1 AND person_uid = $2
