-- Record a request to erase. $1 uuid erasure, $2 text company, $3 text reason, $4 boolean local_only, $5 jsonb identifiers.
INSERT INTO erasures (erasure_id, company_key, reason, local_only, status, identifiers)
VALUES ($1, $2, $3, $4, 'requested', $5::jsonb)
