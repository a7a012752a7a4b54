from datetime import UTC, datetime
from typing import Any

import pytest

from cli.conflicts.comparison import compare, field_names, has_other_number
from cli.conflicts.inputs import read_since
from runtime.companies import CustomField, Sync
from schemas.errors import ConfigurationError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def record(**fields: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "external_person_id": "E1",
        "mdn": None,
        "mdn_e164": None,
        "custom_fields": {},
        "field_times": {},
    }
    return plain | fields


def person(**fields: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "external_person_id": "E1",
        "mdn": None,
        "mdn_e164": None,
        "custom_fields": {},
        "hydrated": True,
    }
    return plain | fields


def differing(wanted: dict[str, Any], held: dict[str, Any], policy: Sync | None = None) -> dict[str, tuple[Any, Any]]:
    found = compare(wanted, held, policy or Sync())
    return {difference.name: (difference.wanted, difference.held) for difference in found}


def test_what_means_the_same_does_not_differ() -> None:
    chosen = {"id": None, "name": "Male", "option_key": "male"}
    wanted = record(mdn="3125550100", mdn_e164="+13125550100", custom_fields={"gender": "male", "zip": None})
    held = person(mdn="+13125550100", mdn_e164="+13125550100", custom_fields={"gender": chosen, "more": "x"})
    assert differing(wanted, held) == {}


def test_every_field_that_differs_is_told_with_both_values() -> None:
    wanted = record(mdn="+13125550100", mdn_e164="+13125550100", custom_fields={"name": "Jane", "zip": None})
    held = person(
        external_person_id="E2", mdn="+13125550199", mdn_e164="+13125550199", custom_fields={"name": "Jo", "zip": "1"}
    )
    assert differing(wanted, held) == {
        "external_person_id": ("E1", "E2"),
        "mdn": ("+13125550100", "+13125550199"),
        "custom_fields.name": ("Jane", "Jo"),
        "custom_fields.zip": (None, "1"),
    }
    assert has_other_number(wanted, held)


def test_a_number_the_crm_says_nothing_about_does_not_differ_and_one_it_removed_does() -> None:
    held = person(mdn="+13125550199", mdn_e164="+13125550199")
    assert differing(record(), held) == {}
    assert differing(record(field_times={"mdn": "2026-01-01T00:00:00Z"}), held) == {"mdn": (None, "+13125550199")}
    assert not has_other_number(record(), held)


def test_custom_fields_are_compared_under_the_names_and_in_the_form_vibes_has_them() -> None:
    policy = Sync(custom_fields={"born": CustomField(field="birthdate", type="date")}, unmapped_custom_fields="ignore")
    wanted = record(custom_fields={"born": "1990-12-31", "internal": "x"})
    assert differing(wanted, person(custom_fields={"birthdate": "1990-12-31T00:00:00Z"}), policy) == {}
    assert differing(wanted, person(), policy) == {"custom_fields.birthdate": ("1990-12-31T00:00:00Z", None)}
    assert field_names(wanted, policy) == ["birthdate"]


def test_a_value_that_is_not_of_the_configured_kind_is_shown_as_the_crm_has_it() -> None:
    policy = Sync(custom_fields={"born": CustomField(type="date")})
    assert differing(record(custom_fields={"born": "soon"}), person(), policy) == {"custom_fields.born": ("soon", None)}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T10:00+01:00", datetime(2026, 1, 1, 9, tzinfo=UTC)),
        ("90m", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("24h", datetime(2026, 1, 30, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 1, 17, 12, tzinfo=UTC)),
    ],
)
def test_since_is_a_time_or_so_long_ago(text: str | None, moment: datetime | None) -> None:
    assert read_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "7 days", "999999w"])
def test_since_that_cannot_be_read_is_wrong_use(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--since: must be"):
        read_since(text, NOW)
