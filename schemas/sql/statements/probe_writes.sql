-- Whether this database takes what the apply worker writes: run it in a transaction that is rolled back.
INSERT INTO callback_ledger (callback_key, body_hash, seen_at)
VALUES (gen_random_uuid(), gen_random_uuid(), now())
