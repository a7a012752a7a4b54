-- Everything some persons of the mirror are known by. $1 text company, $2 uuid[] persons.
SELECT kind, value
FROM person_identities
WHERE company_key = $1 AND person_uid = ANY ($2::uuid[])
UNION
SELECT held.kind, held.value
FROM persons AS p
CROSS JOIN LATERAL (
    VALUES
        ('external_person_id', p.profile_external_person_id),
        ('external_person_id', p.seen_external_person_id),
        ('mdn', p.profile_mdn),
        ('mdn', p.profile_mdn_e164),
        ('mdn', p.seen_mdn),
        ('mdn', p.seen_mdn_e164)
) AS held (kind, value)
WHERE p.company_key = $1 AND p.person_uid = ANY ($2::uuid[]) AND held.value IS NOT NULL
