-- Take everything about a person out of some blocks of one partition of the log, so that only the receipts are left.
-- An event is about the person if it has one of their ids of Vibes; or their external id or number, and no id that is
-- known to be somebody else's. What both happened and came after the erasure is left alone.
-- $1 tid first row, $2 tid behind the last; $3 text company, $4 timestamptz of the erasure; text[]: $5 person_ids,
-- $6 person_keys, $7 external ids; $8 jsonb the same by name, and the numbers, in all forms they may have in a body.
UPDATE callback_events_partition AS e SET
    callback_type = 'erased',
    person_id = NULL,
    person_key = NULL,
    external_person_id = NULL,
    list_id = NULL,
    reason = NULL,
    payload = '{}',
    original_body = NULL
WHERE e.ctid >= $1::tid AND e.ctid < $2::tid
  AND e.company_key = $3
  AND e.callback_type <> 'erased'
  AND NOT (coalesce(e.event_date > $4::timestamptz, false) AND e.received_at > $4::timestamptz)
  AND (
      e.person_id = ANY ($5::text[])
      OR e.person_key = ANY ($6::text[])
      OR (
          (
              e.external_person_id = ANY ($7::text[])
              OR CASE
                  WHEN e.payload::text ~ $9::text THEN jsonb_path_exists(
                      e.payload,
                      '$.** ? (@ == $numbers[*] || @.external_person_id == $externals[*]
                      || @.external_id == $externals[*] || @.person_key == $keys[*] || @.person_id == $ids[*])',
                      $8::jsonb
                  )
              END
          )
          AND NOT EXISTS (
              SELECT FROM person_identities AS living
              WHERE living.company_key = e.company_key
                AND (living.kind, living.value) IN (('person_id', e.person_id), ('person_key', e.person_key))
          )
      )
  )
