"""Notations of times and of numbers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import mdn
from simulator.errors import BadFormatError
from simulator.seeds import seeded
from simulator.times import MINUTE, SECOND, ceil_to, floor_to, plain, spell, spell_coarse

MILLISECONDS = st.integers(0, 2**40).map(
    lambda ms: datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
)


@given(MILLISECONDS, st.integers(0, 1000))
def test_every_notation_keeps_the_moment(moment: datetime, seed: int) -> None:
    rng = seeded(seed)
    for text in (plain(moment), spell(moment, rng), spell_coarse(moment, rng)):
        assert datetime.fromisoformat(text) == moment


def test_all_documented_notations_occur() -> None:
    moment, rng = datetime(2017, 1, 15, 14, 30, tzinfo=UTC), seeded(1)
    seen = {spell(moment, rng) for _ in range(300)} | {spell_coarse(moment, rng) for _ in range(300)}
    assert seen == {
        "2017-01-15T14:30:00Z",
        "2017-01-15T14:30:00+0000",
        "2017-01-15T14:30:00+00:00",
        "2017-01-15T14:30:00.000Z",
        "2017-01-15T15:30:00.000+01:00",
        "2017-01-15T14:30Z",
    }


@given(MILLISECONDS, st.sampled_from([SECOND, MINUTE]))
def test_rounding(moment: datetime, resolution: object) -> None:
    assert floor_to(moment, SECOND) <= moment <= ceil_to(moment, SECOND)
    assert floor_to(moment, MINUTE).second == ceil_to(moment, MINUTE).second == 0


@pytest.mark.parametrize(
    ("number", "version", "stored"),
    [("+12135551234", 2, "+12135551234"), ("+442135551234", 2, "+442135551234"), ("2135551234", 1, "+12135551234")],
)
def test_each_version_speaks_its_notation(number: str, version: int, stored: str) -> None:
    assert mdn.parse(number, version) == stored
    assert mdn.render(stored, version) == number


@pytest.mark.parametrize(
    ("number", "version"),
    [
        ("2135551234", 2),
        ("+12135551234", 1),
        (" 12135551234", 2),
        ("+1213555123x", 2),
        ("", 2),
        ("1", 1),
        ("+1213555123\u0664", 2),
    ],
)
def test_the_other_notation_is_refused(number: str, version: int) -> None:
    with pytest.raises(BadFormatError):
        mdn.parse(number, version)
