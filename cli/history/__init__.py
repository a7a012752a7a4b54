"""`vibes-pipeline simulate --history`: fill a database with a long stretch of made-up life, by the real apply code."""
