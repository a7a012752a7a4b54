-- Remember which person at Vibes a record of the CRM was written to. $1 text company, $2 text external id, $3 text
-- person_id, $4 text person_key; what is NULL is kept of the binding before, if it is the same person.
UPDATE crm_persons SET
    person_id = CASE WHEN person_key = $4 THEN coalesce($3, person_id) ELSE $3 END,
    person_key = CASE WHEN person_id = $3 THEN coalesce($4, person_key) ELSE $4 END
WHERE company_key = $1 AND external_person_id = $2
