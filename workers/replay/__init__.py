"""Dead letters, once more or never: replaying and discarding them.

The way of a letter: `letters` (which ones, and what a row holds) -> `reading` (what is in it, read by the code as it is
now) -> `settle` (applied, or why not, in a transaction that may be rolled back) -> `record` (what came of it: on the
letter, in its history, in the audit's figures). `run` does that for many, at a bounded rate; `runs` is how far it is.
"""
