"""Which custom fields Vibes has to be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.person_sync.differences import agree, differing

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
CHOICES = st.fixed_dictionaries({"id": st.text(), "name": st.text(), "option_key": st.text()})
VALUES = SCALARS | CHOICES | st.lists(SCALARS | CHOICES, max_size=4)
FIELDS = st.dictionaries(st.text(), VALUES, max_size=6)

MALE = {"id": None, "name": "Male", "option_key": "male"}
HARDWARE = {"id": "4", "name": "My Hardware Store", "option_key": "my_hardware_store"}
GROCERY = {"id": "12", "name": "Local Grocery", "option_key": "local_grocery"}


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ("Steve", "Steve"),
        (12, "12"),
        (True, "true"),
        (None, None),
        (None, []),
        ("", None),
        ("male", MALE),
        ("Male", MALE),
        (4, HARDWARE),
        (MALE, MALE),
        ({"option_key": "male"}, MALE),
        (["local_grocery", "my_hardware_store"], [HARDWARE, GROCERY]),
        ([], None),
        ("1950-12-01", "1950-12-01T00:00:00Z"),
        ("1950-12-01T00:00:00z", "1950-12-01T00:00:00+00:00"),
    ],
)
def test_values_that_mean_the_same_agree(wanted: object, held: object) -> None:
    assert agree(wanted, held)


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ("Steve", "steve"),
        ("Steve", None),
        (None, "Steve"),
        (0, None),
        (False, None),
        ("female", MALE),
        (MALE, "male"),
        (["local_grocery"], [HARDWARE, GROCERY]),
        (["local_grocery", "bakery"], [HARDWARE, GROCERY]),
        ("local_grocery", [GROCERY]),
        ("1950-12-01", "1950-12-02T00:00:00Z"),
    ],
)
def test_values_that_mean_something_else_do_not_agree(wanted: object, held: object) -> None:
    assert not agree(wanted, held)


def test_only_fields_that_differ_are_told() -> None:
    wanted = {"first_name": "Steve", "zip": None, "gender": "male", "city": "Chicago"}
    held = {"first_name": "Stephen", "zip": "60601", "gender": MALE, "kept": "as it is"}
    assert differing(wanted, held) == {"first_name": "Steve", "zip": None, "city": "Chicago"}


def test_everything_is_told_when_it_is_not_known_what_vibes_has() -> None:
    wanted = {"first_name": "Steve", "zip": None}
    assert differing(wanted, None) == wanted


@given(FIELDS)
def test_what_vibes_has_already_is_not_told_again(fields: dict[str, object]) -> None:
    assert differing(fields, fields) == {}


@given(FIELDS, FIELDS)
def test_after_what_differs_was_told_nothing_differs(wanted: dict[str, object], held: dict[str, object]) -> None:
    told = differing(wanted, held)
    assert differing(wanted, {**held, **told}) == {}
