-- One request to erase. $1 uuid erasure.
SELECT * FROM erasures WHERE erasure_id = $1
