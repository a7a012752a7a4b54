-- Which identities of a company are erased. $1 text company, $2 uuid[] identities (workers/erasure/identifiers.py).
SELECT identity, erased_at FROM erased_identities WHERE company_key = $1 AND identity = ANY ($2::uuid[])
