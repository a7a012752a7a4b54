"""What to change about a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vibes_api.values import JsonValue


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Leave the field out of the request, so that Vibes keeps what it has. None removes it instead."""

TextField: TypeAlias = str | Unset | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PersonPatch:
    """A partial person: fields set are changed, None removes, fields left out stay as they are.

    Vibes' rules: an MDN can be set where there is none and removed, but not changed (409). Custom fields must
    have been created in the platform first (422), one that is absent from the mapping stays, and each has to
    be removed by name. An external id has at most 128 characters. person_key, person_id, timezone_source,
    created_at and updated_at have no place here: Vibes ignores them.
    """

    external_person_id: TextField = UNSET
    mdn: TextField = UNSET
    carrier_code: TextField = UNSET
    timezone: TextField = UNSET
    custom_fields: Mapping[str, JsonValue] = field(default_factory=dict)

    @classmethod
    def nullification(cls, custom_fields: Iterable[str]) -> PersonPatch:
        """Return the patch with which Vibes documents the erasure of a person's data.

        It removes external id, number, carrier and each of the custom fields named; one not named is kept.
        """
        removed = dict.fromkeys(custom_fields)
        return cls(external_person_id=None, mdn=None, carrier_code=None, custom_fields=removed)

    @property
    def is_empty(self) -> bool:
        """True when sending the patch would change nothing."""
        return not self.to_json()

    def to_json(self) -> dict[str, JsonValue]:
        """Return the request body: an MDN and a carrier code live in `mobile_phone`."""
        phone = _given(mdn=self.mdn, carrier_code=self.carrier_code)
        body = _given(external_person_id=self.external_person_id, timezone=self.timezone)
        if phone:
            body["mobile_phone"] = phone
        if self.custom_fields:
            body["custom_fields"] = dict(self.custom_fields)
        return body

    def __repr__(self) -> str:
        """Return the names of the fields, without their values: those are personal data."""
        given = _given(
            external_person_id=self.external_person_id,
            mdn=self.mdn,
            carrier_code=self.carrier_code,
            timezone=self.timezone,
        )
        names = [f"{name}={'None' if value is None else '...'}" for name, value in given.items()]
        if self.custom_fields:
            names.append(f"custom_fields=<{len(self.custom_fields)}>")
        return f"PersonPatch({', '.join(names)})"


def _given(**fields: TextField) -> dict[str, JsonValue]:
    return {name: value for name, value in fields.items() if not isinstance(value, Unset)}
