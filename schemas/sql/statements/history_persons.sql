-- How many persons of a company, $1, are known.
SELECT count(*) FROM persons WHERE company_key = $1
