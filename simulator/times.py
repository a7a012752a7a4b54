"""Times as Vibes writes them: one moment, many notations.

Vibes' documents show `Z`, an offset with and without a colon, milliseconds, a local offset, and for a few fields
no seconds at all. A notation is only chosen when it loses nothing, so that the order of two times survives it.
"""

import random
from datetime import UTC, datetime, timedelta, timezone

MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

_LOCAL = timezone(timedelta(hours=1))


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def floor_to(moment: datetime, resolution: timedelta) -> datetime:
    """Return the latest whole multiple of `resolution` (at most a minute) that is not after `moment`."""
    within_minute = timedelta(seconds=moment.second, microseconds=moment.microsecond)
    return moment - within_minute % resolution


def ceil_to(moment: datetime, resolution: timedelta) -> datetime:
    """Return the earliest whole multiple of `resolution` (at most a minute) that is not before `moment`."""
    floor = floor_to(moment, resolution)
    return floor if floor == moment else floor + resolution


def plain(moment: datetime) -> str:
    """`2017-01-15T15:34:52Z`, with milliseconds only if there are any."""
    return f"{moment.isoformat()[:23] if moment.microsecond else moment.isoformat()[:19]}Z"


def spell(moment: datetime, rng: random.Random) -> str:
    """`moment` in one of Vibes' notations, most often the plain one; no notation loses milliseconds."""
    draw = rng.random()
    if draw < 0.75:
        return plain(moment)
    text = moment.isoformat(timespec="milliseconds")
    if draw < 0.82:
        return f"{text[:23] if moment.microsecond else text[:19]}+0000"
    if draw < 0.88:
        return f"{text[:23] if moment.microsecond else text[:19]}+00:00"
    if draw < 0.94:
        return f"{text[:23]}Z"
    return moment.astimezone(_LOCAL).isoformat(timespec="milliseconds")


def spell_coarse(moment: datetime, rng: random.Random) -> str:
    """As `spell`, for the fields that Vibes prints without seconds; those are left out only when they are zero."""
    if not moment.second and not moment.microsecond and rng.random() < 0.8:
        return f"{moment.isoformat()[:16]}Z"
    return spell(moment, rng)
