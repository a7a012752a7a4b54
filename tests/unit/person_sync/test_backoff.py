"""When a failed sync is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.person_sync.backoff import backoff_seconds

ATTEMPTS = st.integers(1, 10_000)
CHANCES = st.floats(0, 1)


@given(ATTEMPTS)
def test_the_wait_is_between_5_seconds_and_15_minutes(attempts: int) -> None:
    assert 5 <= backoff_seconds(attempts) <= 900


@given(ATTEMPTS, CHANCES)
def test_the_wait_never_shrinks_from_one_failure_to_the_next(attempts: int, chance: float) -> None:
    assert backoff_seconds(attempts, chance=chance) <= backoff_seconds(attempts + 1, chance=chance)


@pytest.mark.parametrize(
    ("attempts", "least", "most"), [(1, 5, 10), (2, 10, 20), (3, 20, 40), (7, 320, 640), (8, 450, 900), (99, 450, 900)]
)
def test_each_step_doubles_and_its_upper_half_is_random(attempts: int, least: float, most: float) -> None:
    assert backoff_seconds(attempts, chance=0.0) == least
    assert backoff_seconds(attempts, chance=1.0) == most


def test_what_vibes_asks_for_is_waited_for_but_not_for_ever() -> None:
    assert backoff_seconds(1, asked=42.0, chance=0.0) == 42.0
    assert backoff_seconds(1, asked=1.0, chance=0.0) == 5.0
    assert backoff_seconds(1, asked=86_400.0) == 900.0
