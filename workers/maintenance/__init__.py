"""Keep the tables in shape: partitions ahead of time, and nothing older than the policy says.

`policy` (how long what is kept) -> `plan` (what is to be done about which partition; pure) -> `partitions` and
`pruning` (do it, in short transactions) -> `run` (all of it, once, or a report of what would be done).
"""
