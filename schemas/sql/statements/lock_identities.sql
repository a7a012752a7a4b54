-- Hold the identities of some companies until the end of the transaction, together with others ($2 false) or alone.
-- $1 text[] company keys, sorted; $2 boolean alone.
SELECT CASE
    WHEN $2::boolean THEN pg_advisory_xact_lock(hashtextextended('identities:' || company_key, 0))
    ELSE pg_advisory_xact_lock_shared(hashtextextended('identities:' || company_key, 0))
END
FROM unnest($1::text[]) AS company_key
