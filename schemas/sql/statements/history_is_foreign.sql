-- Whether a company, $1, has callbacks that another ingest process than $2 took.
SELECT EXISTS (SELECT FROM callback_accounts WHERE company_key = $1 AND ingest_id <> $2)
