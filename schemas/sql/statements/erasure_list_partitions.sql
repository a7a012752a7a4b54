-- The partitions of a table, and how many blocks each has. $1 text the table.
SELECT inhrelid::regclass::text AS partition, pg_relation_size(inhrelid) / current_setting('block_size')::bigint AS blocks
FROM pg_inherits
WHERE inhparent = $1::text::regclass
ORDER BY inhrelid::regclass::text
