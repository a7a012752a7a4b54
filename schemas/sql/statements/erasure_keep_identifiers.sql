-- Write down more of whom to erase. $1 uuid erasure, $2 jsonb identifiers.
UPDATE erasures SET identifiers = $2::jsonb WHERE erasure_id = $1
