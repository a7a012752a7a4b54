"""Whether an import carries on, begins anew, or is refused."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.persons.importing.source import Identity
from cli.persons.importing.state import State, carry_on
from schemas.errors import ConfigurationError

WHERE = Path("crm.csv.import-state.json")
NEW = State(Identity(10, 1, "aa"), {"empty": "keep"}, datetime(2026, 1, 2, tzinfo=UTC))
BEGUN = replace(NEW, started_at=datetime(2026, 1, 1, tzinfo=UTC), confirmed_row=500)
FINISHED = replace(BEGUN, finished_at=datetime(2026, 1, 1, 1, tzinfo=UTC), rows=600, accepted=590)
CHANGED = Identity(10, 2, "aa")


def test_without_a_state_it_begins() -> None:
    assert carry_on(None, NEW, WHERE, restart=False) is NEW


def test_an_import_begun_is_carried_on_with_the_time_it_began() -> None:
    assert carry_on(BEGUN, NEW, WHERE, restart=False) is BEGUN


def test_a_finished_import_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match=r"completely at 2026-01-01 01:00:00 UTC \(600 rows, 10 refused"):
        carry_on(FINISHED, NEW, WHERE, restart=False)


def test_a_new_file_in_the_place_of_a_finished_one_is_a_new_import() -> None:
    new = replace(NEW, input=CHANGED)
    assert carry_on(FINISHED, new, WHERE, restart=False) is new


def test_a_file_changed_in_the_middle_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"has changed since .* after row 500 .*--restart begins anew"):
        carry_on(BEGUN, replace(NEW, input=CHANGED), WHERE, restart=False)


def test_options_changed_in_the_middle_are_refused_and_named() -> None:
    with pytest.raises(ConfigurationError, match=r"with other options \(empty, map; .*--restart begins anew"):
        carry_on(BEGUN, replace(NEW, options={"empty": "remove", "map": "a=mdn"}), WHERE, restart=False)


@pytest.mark.parametrize("new", [replace(NEW, input=CHANGED), replace(NEW, options={"empty": "remove"})])
def test_while_the_broker_has_nothing_of_it_anything_may_change(new: State) -> None:
    assert carry_on(replace(BEGUN, confirmed_row=0), new, WHERE, restart=False) is new


@pytest.mark.parametrize("found", [BEGUN, FINISHED])
def test_asked_to_it_begins_anew(found: State) -> None:
    assert carry_on(found, NEW, WHERE, restart=True) is NEW
