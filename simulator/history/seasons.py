"""How busy the days of a year, the days of a week and the hours of a day are. Pure."""

import random
from bisect import bisect
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

_MONTHS: Final = (0.85, 0.80, 0.90, 0.95, 1.05, 1.00, 0.95, 0.90, 1.00, 1.10, 1.60, 1.45)
"""January to December: the weeks before Christmas are the retailer's."""
_WEEKDAYS: Final = (0.90, 1.00, 1.00, 1.05, 1.25, 1.15, 0.65)
"""Monday to Sunday."""
_HOURS_UTC: Final = (6, 4, 3, 2, 1, 1, 1, 1, 1, 1, 2, 4, 8, 12, 16, 19, 22, 24, 23, 22, 20, 18, 14, 9)
"""A day of US people, who are five to eight hours behind UTC."""
_HOURS_SO_FAR: Final = tuple(accumulate(_HOURS_UTC))
_HOLIDAYS: Final = {(11, 27): 2.2, (11, 28): 2.6, (12, 1): 1.8, (12, 24): 0.6, (12, 25): 0.3, (1, 1): 0.4, (7, 4): 0.6}
_GROWTH: Final = 1.5
"""How much busier the last day is than the first, for what the season does not tell."""


def busyness(day: datetime, share: float) -> float:
    """Return how busy a day is beside others, when `share` (0 to 1) of the history is over."""
    season = _MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()] * _HOLIDAYS.get((day.month, day.day), 1.0)
    return season * (1 + (_GROWTH - 1) * share)


def time_of_day(day: datetime, rng: random.Random) -> datetime:
    """Return a moment of a day, more likely one of its busy hours."""
    hour = bisect(_HOURS_SO_FAR, rng.random() * _HOURS_SO_FAR[-1])
    return day + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))
