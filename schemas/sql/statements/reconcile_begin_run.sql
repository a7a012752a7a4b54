-- Begin a run. $1 uuid run, $2 text company, $3 jsonb options, $4 timestamptz start.
INSERT INTO reconciliations (run_id, company_key, options, started_at) VALUES ($1, $2, $3::jsonb, $4)
