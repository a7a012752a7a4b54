"""Whether what was received is about a person, told from its body. Pure.

What parses as JSON is judged by its structure: an id counts where an id stands. What does not parse is searched for the
ids and numbers as whole words, and only for ids long enough not to be met by chance.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.callbacks.json_body import read_json_body
from schemas.crm_change import mdn_e164
from schemas.errors import MessageError
from schemas.values import read_text
from workers.erasure.identifiers import EXTERNAL_PERSON_ID, MDN, PERSON_ID, PERSON_KEY, Identifiers, Identity

LEAST_ID = 6
"""Characters of an id that is searched for in a body that is not JSON."""

_KINDS = {
    "person_id": PERSON_ID,
    "person_key": PERSON_KEY,
    "external_person_id": EXTERNAL_PERSON_ID,
    "external_id": EXTERNAL_PERSON_ID,
    "mdn": MDN,
}
_PERSON = "person"
_LEAST_NUMBER = 7
_BETWEEN_DIGITS = r"[ .()\-]{0,3}"


@dataclass(frozen=True, slots=True)
class Mention:
    """What a body says about the person looked for."""

    certain: bool = False
    """It has one of their ids of Vibes, or is no JSON and holds what they are known by."""
    other_vibes_ids: frozenset[Identity] = field(default=frozenset(), repr=False)
    """Their external id or number is in it, beside these ids of Vibes: it is about them unless these are somebody
    else's. Without any it is about them."""
    likely: bool = False


class Matcher:
    """Looks for one person."""

    def __init__(self, person: Identifiers, default_country: str | None) -> None:
        self._country = default_country
        self._identities = person.identities()
        self._numbers = person.number_forms
        self._words = _pattern(person)

    def look(self, body: bytes, content_encoding: str | None = None) -> Mention:
        """Tell whether a body is about the person."""
        value = _read(body, content_encoding)
        if value is None:
            found = self._words is not None and self._words.search(body.decode(errors="replace")) is not None
            return Mention(certain=found)
        vibes, likely = set(), False
        for kind, text in _scalars(value):
            if kind in (PERSON_ID, PERSON_KEY):
                vibes.add((kind, text))
            elif (kind, text) in self._identities or self._is_number(kind, text):
                likely = True
        if vibes & self._identities:
            return Mention(certain=True)
        return Mention(likely=likely, other_vibes_ids=frozenset(vibes) if likely else frozenset())

    def names(self, text: str) -> bool:
        """Tell whether a sentence holds an id or a number of the person."""
        return self._words is not None and self._words.search(text) is not None

    def _is_number(self, kind: str | None, text: str) -> bool:
        return text in self._numbers or (kind == MDN and mdn_e164(text, self._country) in self._numbers)


def _read(body: bytes, content_encoding: str | None) -> Any:
    """Return what a body holds as JSON; None when it is none."""
    try:
        return read_json_body(body, content_encoding).object
    except MessageError:
        pass
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _scalars(value: Any) -> Iterator[tuple[str | None, str]]:
    """Return every text and number, and the kind of id it stands in the place of, if any. Nests as deep as it likes."""
    waiting: list[tuple[str | None, str | None, Any]] = [(None, None, value)]
    while waiting:
        parent, key, item = waiting.pop()
        if isinstance(item, dict):
            waiting += [(key, name, inner) for name, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(parent, key, inner) for inner in item]
        elif (text := read_text(item)) is not None:
            kind = PERSON_ID if key == "id" and parent == _PERSON else _KINDS.get(key or "")
            yield kind, text


def _pattern(person: Identifiers) -> re.Pattern[str] | None:
    ids = {value for kind, value in person.identities() if kind != MDN and len(value) >= LEAST_ID}
    words = [rf"(?<![\w-]){re.escape(one)}(?![\w-])" for one in sorted(ids)]
    digits = {re.sub(r"\D", "", form) for form in person.number_forms}
    # A plus is %2B in a form's body, and its B is no part of the number.
    words += [
        rf"(?:(?<=%2B)|(?<=%2b)|(?<!\w)){_BETWEEN_DIGITS.join(number)}(?!\w)"
        for number in sorted(digits)
        if len(number) >= _LEAST_NUMBER
    ]
    return re.compile("|".join(words)) if words else None
