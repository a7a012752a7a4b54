"""The settings as the README's table: `python -m tests.support.settings_table` prints it."""

import sys
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from runtime.settings import Settings, environment_names

_BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}


def settings_table() -> str:
    """Return a Markdown table with every setting: its variable, its default, its meaning and what it may be."""
    rows = [_row(name, Settings.model_fields[field]) for name, field in environment_names().items()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _row(name: str, info: FieldInfo) -> str:
    meaning = f"{info.description} {_limits(info)}".strip().replace("|", "\\|")
    return f"| `{name}` | `{_shown(info.default)}` | {meaning} |"


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(info: FieldInfo) -> str:
    """Return what a value may be, as a sentence; an empty text where anything of the type may."""
    if get_origin(info.annotation) is Literal:
        return f"One of {', '.join(f'`{choice}`' for choice in get_args(info.annotation))}."
    found = [
        text.format(_shown(bound))
        for item in info.metadata
        for kind, text in _BOUNDS.items()
        if (bound := getattr(item, kind, None)) is not None
    ]
    return f"{', '.join(found).capitalize()}." if found else ""


if __name__ == "__main__":
    sys.stdout.write(f"{settings_table()}\n")
