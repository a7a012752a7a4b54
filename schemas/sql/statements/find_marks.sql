-- What has to be looked at before events of some companies are applied: their outstanding test events, and (with a NULL
-- event_id) which of them have erased anybody. $1 text[] companies.
SELECT company_key, event_id FROM test_events WHERE company_key = ANY ($1::text[])
UNION ALL
SELECT company_key, NULL
FROM unnest($1::text[]) AS told (company_key)
WHERE EXISTS (SELECT FROM erased_identities AS erased WHERE erased.company_key = told.company_key)
