-- Requests to erase of a company that are not done. $1 text company.
SELECT * FROM erasures WHERE company_key = $1 AND status <> 'done' ORDER BY requested_at
