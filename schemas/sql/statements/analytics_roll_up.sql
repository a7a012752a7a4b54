-- Add up what changed for the views of schema analytics: $1 stays at most, and fewer of what takes longer. Returns how many.
SELECT analytics_store.roll_up($1)
