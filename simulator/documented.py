"""The bodies of Vibes' own documentation, sent exactly as they are."""

from collections.abc import Iterator
from importlib.resources import files

import orjson

from simulator.events import Event, Kind

COUNT = 9
"""How many there are."""


def documented_bodies() -> list[bytes]:
    """Return the sample bodies, byte for byte as they will be sent. They share one event_id over several types."""
    return files("simulator").joinpath("data/documented_bodies.jsonl").read_bytes().splitlines()


def documented_events() -> Iterator[Event]:
    """Yield the sample bodies as events. They are about people and lists that are in no MobileDB."""
    for body in documented_bodies():
        fields = orjson.loads(body)
        callback_type = fields.get("callback_type") or fields["event_type"]
        yield Event(Kind.DOCUMENTED, callback_type, fields["event_id"], body, fact=callback_type)
