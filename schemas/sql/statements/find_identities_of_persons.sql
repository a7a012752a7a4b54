-- All ids of some persons. $1 uuid[] persons.
SELECT kind, value, person_uid FROM person_identities WHERE person_uid = ANY ($1::uuid[])
