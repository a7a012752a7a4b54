"""What shows that the oracle can fail: the pipeline with one of its safeguards taken out.

Each module is run as `python -m tests.chaos.mutations.NAME PART`: it patches one function, then runs the part.
"""
