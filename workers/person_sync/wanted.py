"""Which custom fields Vibes should have for a record of the CRM, by Vibes' names and in Vibes' form. Pure."""

from collections.abc import Mapping
from typing import Any

from runtime.companies import Sync
from schemas.custom_fields import written_form
from schemas.errors import MessageError


def wanted_custom_fields(crm_fields: Mapping[str, Any], policy: Sync) -> tuple[dict[str, Any], list[str]]:
    """Return the fields to have at Vibes, None for one to remove; and the CRM's names of those that cannot be written.

    Intake refuses a value that is not of its field's kind, so the latter are there only after the kind was changed.
    """
    wanted: dict[str, Any] = {}
    unfit: list[str] = []
    for name, value in sorted(crm_fields.items()):
        mapped = policy.custom_fields.get(name)
        if mapped is None and policy.unmapped_custom_fields == "ignore":
            continue
        try:
            wanted[(mapped.field if mapped else None) or name] = written_form(value, policy.type_of(name))
        except MessageError:
            unfit.append(name)
    return wanted, unfit
