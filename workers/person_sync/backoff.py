"""When to try a sync again that failed for now."""

import random

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 900.0


def backoff_seconds(attempts: int, asked: float | None = None, chance: float | None = None) -> float:
    """Return the seconds to wait after the `attempts`-th failure in a row (from 1): 5 to 10, doubling up to 15 minutes.

    The upper half of each step is random, so that syncs which failed together do not come back together. `asked` are
    the seconds Vibes asked for, should it ever do that: waited for in full, but for 15 minutes at most. `chance`
    (0 to 1) replaces the random number, for tests.
    """
    part = random.random() if chance is None else chance  # noqa: S311 - jitter, not a secret
    # min() before the power: attempts may have grown for weeks.
    step = min(FIRST_SECONDS * 2.0 ** min(max(attempts, 1) - 1, 10), LONGEST_SECONDS)
    return max(step * (1 + part) / 2, min(asked or 0.0, LONGEST_SECONDS))
