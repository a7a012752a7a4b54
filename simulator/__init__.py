"""A stand-in for Vibes: its platform API, its callbacks, and a ledger of what was sent and acknowledged.

It is an independent model: it imports nothing of the pipeline it checks, so that a misreading of Vibes'
contract cannot hide on both sides.
"""
