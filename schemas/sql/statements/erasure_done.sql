-- Record that a person is erased everywhere, and forget who it was. $1 uuid erasure.
UPDATE erasures SET status = 'done', finished_at = now(), identifiers = NULL, last_error = NULL WHERE erasure_id = $1
