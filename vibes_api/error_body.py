"""What Vibes says about a refused request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vibes_api.bodies import decode_body
from vibes_api.values import text

if TYPE_CHECKING:
    from vibes_api.values import JsonValue


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of an error body.

    `code` is a number or a word in text form, or None (Vibes publishes no table of codes). `message` is meant
    for people and may quote numbers and names, therefore it is not part of the repr.
    """

    code: str | None
    message: str = field(repr=False)


def parse_errors(body: bytes) -> list[ApiError]:
    """Return the errors in `body`; an empty list when there is nothing to read. Never raises.

    The documented form is `{"errors": [{"message": ..., "code": ...}]}`. Real bodies may also be empty (404
    and 409 of the old guide), HTML of a gateway, broken JSON, or entries of any other type.
    """
    try:
        content = decode_body(body)
    except ValueError:
        return []
    if isinstance(content, Mapping):
        content = next((content[name] for name in ("errors", "error") if content.get(name)), content)
    entries = content if isinstance(content, Sequence) and not isinstance(content, str) else [content]
    return [error for entry in entries if (error := _one(entry)) is not None]


def _one(entry: JsonValue) -> ApiError | None:
    if isinstance(entry, Mapping):
        code, message = text(entry.get("code")), text(entry.get("message"))
    else:
        code, message = None, text(entry)
    return ApiError(code, message or "") if code or message else None
