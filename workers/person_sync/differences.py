"""Which custom fields Vibes does not have as the CRM wants them. Pure.

The two write one value in different forms: Vibes answers a choice as `{id, name, option_key}`, several as an array of
those, a date with a time, and any of them may be what was sent as plain text. Values that mean the same are not sent
again.
"""

from collections.abc import Mapping
from typing import Any

from schemas.values import read_timestamp


def differing(wanted: Mapping[str, Any], held: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields of `wanted` that Vibes has to be told. `held` None: it is not known what Vibes has."""
    if held is None:
        return dict(wanted)
    return {name: value for name, value in wanted.items() if not agree(value, held.get(name))}


def agree(wanted: Any, held: Any) -> bool:
    """Tell whether `held`, as Vibes has it, means the same as `wanted`. Nothing, null, blank and empty are one."""
    if _is_empty(wanted) or _is_empty(held):
        return _is_empty(wanted) and _is_empty(held)
    if isinstance(wanted, list):
        return isinstance(held, list) and _agree_as_sets(wanted, held)
    if isinstance(wanted, dict):
        return isinstance(held, dict) and all(agree(value, held.get(name)) for name, value in wanted.items())
    if isinstance(held, dict):
        return any(agree(wanted, held.get(name)) for name in ("id", "name", "option_key"))
    if isinstance(held, list):
        return False
    return _text(wanted) == _text(held) or _same_time(wanted, held)


def _agree_as_sets(wanted: list[Any], held: list[Any]) -> bool:
    """Vibes promises no order of several choices."""
    return len(wanted) == len(held) and all(any(agree(item, other) for other in held) for item in wanted)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same_time(one: Any, other: Any) -> bool:
    time = read_timestamp(one)
    return time is not None and time == read_timestamp(other)
