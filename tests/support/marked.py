"""Personal data and secrets that can be recognised wherever they turn up, and bodies full of them."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from tests.support.bodies import documented_bodies

WORD = "qzx7"
"""In every name, id and text that is marked."""
MDN = "+1312555{:04d}"
_MDN = re.compile(r"312\D{0,3}555\D{0,2}\d{4}")
_PERSONAL = {
    **dict.fromkeys(("id", "person_id", "person_key", "external_id", "external_person_id"), "person-qzx7-{}"),
    "url": "/companies/acme/mobiledb/persons/person-qzx7-{}",
    "first_name": "Anna-Qzx7-{}",
    "birthdate": "1950-12-{}-qzx7",
    "rewards_id": "rewards-qzx7-{}",
    "message": "please stop texting Qzx7-{}",
    "push_token": "push-token-qzx7-{}",
    "order_url": "https://example.com/orders/qzx7-{}",
}
"""Fields of documented bodies, and what stands in them when they are marked."""
_PERSONS = ("person", "participant", "custom_fields", "tokens", "event_data")
_numbers = count(1)


class Marks:
    """Finds marked data and secrets in text, also with other separators, letter case or base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        words = [WORD, *secrets, *(base64.b64encode(secret.encode()).decode().rstrip("=") for secret in secrets)]
        self._pattern = re.compile("|".join([_MDN.pattern, *map(re.escape, words)]), re.IGNORECASE)

    def lines_in(self, text: str) -> list[str]:
        """Return the lines that hold a mark."""
        # Backslashes: a mark in a repr, or in JSON within JSON, is one all the same.
        return [line[:500] for line in text.splitlines() if self._pattern.search(line.replace("\\", ""))]


def mdn(number: int) -> str:
    """Return a marked number; nobody has it."""
    return MDN.format(number)


def marked_bodies(company_key: str) -> Iterator[dict[str, Any]]:
    """Return the documented bodies with marked personal data, each about somebody else."""
    for body in map(json.loads, documented_bodies()):
        number = next(_numbers)
        marked = _mark(body, number, personal=False)
        yield {**marked, "event_id": f"event-{number}-{company_key}"}


def _mark(value: Any, number: int, *, personal: bool, name: str = "") -> Any:
    if isinstance(value, dict):
        return {
            key: _mark(item, number, personal=personal or name in _PERSONS or key in _PERSONS, name=key)
            for key, item in value.items()
        }
    if name == "mdn":
        return mdn(number)
    if name in _PERSONAL and (personal or name in ("message", "push_token")) and isinstance(value, str):
        return _PERSONAL[name].format(number)
    return value
