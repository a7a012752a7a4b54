"""Makes up people: numbers, names, custom fields. Nobody is real."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from simulator.model import JsonObject, PersonPatch
from simulator.times import plain

CUSTOM_FIELDS: Final = (
    "first_name",
    "last_name",
    "email",
    "Home_Zip",
    "birthdate",
    "rewards_id",
    "favorite_stores",
    "gender",
)

_AREAS: Final = ("206", "212", "213", "303", "305", "312", "404", "415", "512", "602", "617", "702", "718", "773")
_FIRST: Final = ("Steve", "Zoë", "Łukasz", "Мария", "美咲", "José", "Nguyễn", "أمينة", "O'Brien", "Ann-Sofie", "🙂")
_LAST: Final = ("Smith", "Müller", "García Márquez", "Иванова", "佐藤", "D'Angelo", "Øster", "van der Berg")
_STORES: Final = ("My Hardware Store", "Local Grocery", "Café Ñandú", "Corner Books")
_EPOCH: Final = datetime(1940, 1, 1, tzinfo=UTC)
_COPRIME: Final = 7919  # prime: multiplying by it visits every number of the ranges below once


def number(index: int) -> str:
    """Return the index-th MDN in E.164, each different: mostly US, some UK. They need not be assignable numbers."""
    if index % 25 == 24:
        return f"+447{index * _COPRIME % 10**9:09d}"
    rest = 2_000_000 + index // len(_AREAS) * _COPRIME % 8_000_000
    return f"+1{_AREAS[index % len(_AREAS)]}{rest}"


def external_id(index: int, rng: random.Random) -> str:
    """Return the index-th customer id, each different; some need percent-encoding in a path."""
    return f"EXT/{index} #é" if rng.random() < 0.05 else f"crm-{index}"


def newcomer(index: int, rng: random.Random) -> PersonPatch:
    """Return the index-th made-up person. Most have a number, many an external id, all have one of them."""
    patch: PersonPatch = {"custom_fields": custom_fields(rng)}
    has_phone = rng.random() < 0.97
    if has_phone:
        patch["mdn"] = number(index)
    if not has_phone or rng.random() < 0.6:
        patch["external_person_id"] = external_id(index, rng)
    return patch


def custom_fields(rng: random.Random) -> JsonObject:
    """Return some custom fields in the forms Vibes knows: text, date, single select, multi select, null, empty."""
    chosen = rng.sample(CUSTOM_FIELDS, rng.randrange(1, 6))
    return {name: custom_field(name, rng) for name in chosen}


def custom_field(name: str, rng: random.Random) -> Any:
    """Return a value for one custom field."""
    if rng.random() < 0.08:
        return None
    match name:
        case "first_name":
            return rng.choice(_FIRST)
        case "last_name":
            return rng.choice(_LAST)
        case "email":
            return f"someone+{rng.randrange(10**6)}@example.com"
        case "birthdate":
            text = plain(_EPOCH + timedelta(days=rng.randrange(25_000)))
            return text.lower() if rng.random() < 0.3 else text
        case "favorite_stores":
            return [_option(store, rng) for store in rng.sample(_STORES, rng.randrange(3))]
        case "gender":
            return _option(rng.choice(("Male", "Female", "Other")), rng)
        case _:
            return f"{rng.randrange(10**5):05d}"


def _option(name: str, rng: random.Random) -> JsonObject:
    """Return an option of a select field. Vibes shows some with a null id, and old ones without an option_key."""
    option: JsonObject = {"id": None if rng.random() < 0.1 else str(rng.randrange(1, 20)), "name": name}
    return option if rng.random() < 0.1 else option | {"option_key": name.lower().replace(" ", "_")}
