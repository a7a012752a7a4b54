-- The next persons to compare with Vibes, in order. $1 text company, $2 uuid after whom, $3 text only those with a stay
-- on this list (NULL: all), $4 boolean only those who are subscribed (to that list), $5 timestamptz not those whose
-- profile was told since (NULL: all), $6 bigint how many (NULL: all).
SELECT p.person_uid, p.person_id, p.person_key
FROM persons AS p
WHERE p.company_key = $1
  AND p.person_uid > $2
  AND (p.person_id IS NOT NULL OR p.person_key IS NOT NULL)
  AND ($5::timestamptz IS NULL OR p.profile_event_date IS NULL OR p.profile_event_date < $5)
  AND (
      $3::text IS NULL
      OR EXISTS (SELECT FROM subscriptions AS s WHERE s.person_uid = p.person_uid AND s.list_id = $3)
  )
  AND (
      NOT $4::boolean
      OR EXISTS (
          SELECT FROM current_subscriptions AS c
          WHERE c.person_uid = p.person_uid AND ($3::text IS NULL OR c.list_id = $3)
      )
  )
ORDER BY p.person_uid
LIMIT $6::bigint
