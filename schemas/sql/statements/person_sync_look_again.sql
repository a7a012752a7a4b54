-- Have the sweep look after a due person soon. $1 text company, $2 uuid person, $3 seconds.
UPDATE person_sync SET next_attempt_at = now() + make_interval(secs => $3::double precision)
WHERE company_key = $1
  AND person_uid = $2
  AND status = 'pending'
  AND next_attempt_at > now() + make_interval(secs => $3::double precision)
