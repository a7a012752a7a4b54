"""`vibes-pipeline conflicts`: what Vibes refused for good, why, and what a human can do about it.

`kinds` tells from a row of the outbox what kind of conflict it is, `advice` says it in plain words. `findings` gathers
what is known, `comparison` what differs; `decisions` are what a human can do.
"""
