"""Reads a dataclass of simple settings from the JSON of a request."""

from dataclasses import fields, replace
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from simulator.errors import UnprocessableError
from simulator.model import JsonObject

T = TypeVar("T")


def read(defaults: T, given: JsonObject) -> T:
    """Return a copy of the dataclass instance `defaults` with the given settings.

    Raises:
        UnprocessableError: a name is unknown, or a value has another type than the setting.

    """
    hints = get_type_hints(type(defaults))
    known = {field.name for field in fields(defaults)}  # type: ignore[arg-type]  # T is always a dataclass
    for name, value in given.items():
        if name not in known:
            raise UnprocessableError(f"{name} is no setting; the settings are {', '.join(sorted(known))}")
        if not _fits(value, hints[name]):
            raise UnprocessableError(f"{name} must be {hints[name]}, such as {getattr(defaults, name)!r}")
    converted = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return replace(defaults, **converted)  # type: ignore[type-var]  # T is always a dataclass


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(each, get_args(hint)[0]) for each in value)
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, NoneType if hint is None else get_origin(hint) or hint)
