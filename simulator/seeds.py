"""Where every random choice of the simulator comes from."""

import random


def seeded(*parts: object) -> random.Random:
    """Return a generator that gives the same choices for the same `parts`, in every process and on every machine."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - repeatable choices are the point, not secrecy


def new_uuid(rng: random.Random) -> str:
    """Return a version 4 UUID in lower case, drawn from `rng`."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
