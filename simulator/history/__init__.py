"""A long stretch of a company's life in little time: what Vibes would have sent, and when it would have come.

The way of it: `calendar` (what is planned) and `seasons` (how busy each day is) -> `story` (a MobileDB that lives
through it, told as events in order of time) -> `delivery` (late, in disorder, some twice) -> `messages` (as ingest
would have published them). `history` puts it together and keeps the ledger. Nothing here does I/O: who applies the
messages is another's matter.
"""
