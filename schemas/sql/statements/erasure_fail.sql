-- Write down why a request could not be done for now. $1 uuid erasure, $2 text.
UPDATE erasures SET last_error = $2 WHERE erasure_id = $1
