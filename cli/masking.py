"""How personal data is shown unless it is asked for: enough to compare, not enough to call or write to. Pure."""

import re
from typing import Any

_SHOWN_DIGITS = 4
_PRIVATE = re.compile(
    r"\+?\d{7,}"
    r"|\+?\(?\d{3}\)?[ .-]?\d{3}[ .-]\d{4}\b"
    r"|[^\s\"'<>]+@[^\s\"'<>]+"
    r"|\S*://\S+"
)


def mask_mdn(mdn: str | None) -> str | None:
    """Return a number with all but its last four digits hidden; a short one is hidden as a whole."""
    if mdn is None:
        return None
    digits = "".join(character for character in mdn if character.isdigit())
    return f"***{digits[-_SHOWN_DIGITS:]}" if len(digits) > 2 * _SHOWN_DIGITS else "***"


def mask_words(words: str) -> str:
    """Return a text with its phone numbers, other long numbers, e-mail addresses and URLs hidden; dates stay."""
    return _PRIVATE.sub("***", words)


def mask_value(value: Any) -> Any:
    """Return a JSON value with all its texts masked as `mask_words` does; names stay."""
    if isinstance(value, str):
        return mask_words(value)
    if isinstance(value, list):
        return [mask_value(item) for item in value]
    if isinstance(value, dict):
        return {name: mask_value(item) for name, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        masked = mask_words(str(value))
        return masked if masked != str(value) else value
    return value
