-- Let all ids of some persons mean others. $1 uuid[] from, $2 uuid[] to.
UPDATE person_identities AS i SET person_uid = moves.target
FROM unnest($1::uuid[], $2::uuid[]) AS moves (source, target)
WHERE i.person_uid = moves.source
