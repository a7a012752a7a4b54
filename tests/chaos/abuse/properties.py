"""What must hold for any input of the decoder and the fold: shared by Hypothesis, atheris and the corpus.

Each takes bytes and raises AssertionError, or whatever the pipeline raised and should not have.
"""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from schemas.broker_message import CallbackMessage, ReceivedCallback, decode, encode
from schemas.callbacks.events import Event, read_event
from schemas.errors import MessageError
from schemas.facts import Fact, PersonIdentity
from workers.apply.reading import read_message
from workers.mirror.fold import PersonState, fold
from workers.mirror.identity import resolve_completely

COMPANY = "acme"
_MESSAGE_ID = UUID("01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f")
_ENCODINGS = (None, "gzip", "deflate", "br", " GZIP ")
_MOST_SECONDS = 5.0
_MOST_BYTES = 400 * 2**20
"""A body inflates to 16 MiB at most; as Python's objects that may be some twenty times as much."""


def check_body(data: bytes) -> None:
    """A body is read, or refused with a MessageError; what is read can be stored, and reads the same again.

    The first byte tells the Content-Encoding.
    """
    encoding = _ENCODINGS[data[0] % len(_ENCODINGS)] if data else None
    event = _read(data[1:], encoding)
    if event is None:
        return
    assert event == _read(data[1:], encoding), "it is not read the same twice"
    assert "\x00" not in event.body.text, "PostgreSQL takes no NUL"
    assert not any("\x00" in text for text in _texts(json.loads(event.body.text))), "PostgreSQL takes no NUL"
    event.body.text.encode()
    for text in (event.event_id, event.person_id, event.person_key, event.list_id, event.reason):
        assert text is None or (text and "\x00" not in text and text.encode()), "an id that is no text"
    for moment in _moments(event):
        assert moment.tzinfo is UTC, "a time without a zone"
    UUID(str(event.key))
    same = _read(event.body.text.encode(), None)
    assert same is not None
    assert same.key == event.key, "its canonical form is another event"


def check_callback(data: bytes) -> None:
    """A callback of a broker message is read on its own: it has an event or a problem, which is no mistake of ours."""
    headers = {"content-encoding": "gzip"} if data[:2] == b"\x1f\x8b" else {}
    received = ReceivedCallback(data, datetime(2024, 1, 1, tzinfo=UTC), "127.0.0.1", "POST", "main", headers)
    message = CallbackMessage(_MESSAGE_ID, COMPANY, "ingest", 0, (received,))
    assert decode(encode(message)) == message
    (callback,) = read_message(message, lambda _: "US").callbacks
    assert (callback.event is None) != (callback.problem is None)
    assert callback.problem is None or callback.problem.reason != "internal_error", callback.problem


def check_message(data: bytes) -> None:
    """A broker message is decoded, or refused with a MessageError; what is decoded can be read, and encodes again."""
    try:
        message = decode(data)
    except MessageError:
        return
    assert sum(len(callback.body) for callback in message.callbacks) <= len(data)
    for callback in read_message(message, lambda _: None).callbacks:
        if not all(isinstance(value, str) for value in callback.received.headers.values()):
            continue  # no ingest writes such a header; what cannot be read for it is set aside, alone
        assert callback.problem is None or callback.problem.reason != "internal_error", callback.problem
    assert decode(encode(message)) == message


def check_fold(data: bytes) -> None:
    """The facts of some bodies, a line each, add up to the same in any order, batching and number."""
    facts = list(facts_of(data.splitlines()[:40]))
    if facts:
        check_join(facts, Random(data))


def facts_of(bodies: Iterable[bytes]) -> Iterator[Fact]:
    """Yield the facts of those bodies that can be read."""
    for body in bodies:
        if event := _read(body, None):
            yield from event.facts


def check_join(facts: list[Fact], random: Random) -> None:
    """The fold of facts is a join: it knows no order (commutative, associative) and no number (idempotent)."""
    uids = resolve_completely(COMPANY, (fact.person for fact in facts), {}).person_uids
    whole = _comparable(facts, uids)
    assert _comparable(facts + facts, uids) == whole, "twice is not once"
    assert _comparable(facts[::-1], uids) == whole, "the order matters"
    shuffled = random.sample(facts, len(facts))
    assert _comparable(shuffled, uids) == whole, "the order matters"
    # What is folded in a batch of its own loses nothing that could have won: the survivors add up to the same.
    cut = random.randrange(len(facts) + 1)
    survivors = [*_survivors(facts[:cut], uids), *_survivors(facts[cut:], uids)]
    assert _comparable(survivors, uids) == whole, "the batches matter"


@contextmanager
def bounded() -> Iterator[None]:
    """Take neither long nor much memory. Slow itself: allocations are traced."""
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        seconds, (_, most) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < _MOST_SECONDS, f"it took {seconds:.1f} s"
    assert most < _MOST_BYTES, f"it held {most >> 20} MiB"


CHECKS: Mapping[str, Callable[[bytes], None]] = {
    "body": check_body,
    "callback": check_callback,
    "message": check_message,
    "fold": check_fold,
}
"""By the name of their directory in the corpus."""


def _read(body: bytes, encoding: str | None) -> Event | None:
    try:
        return read_event(COMPANY, body, default_country="US", content_encoding=encoding)
    except MessageError:
        return None


def _texts(value: Any) -> Iterator[str]:
    """Yield every text and name in a JSON value, without recursion: it may be nested deeply."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += [*value, *value.values()]


def _moments(event: Event) -> Iterator[datetime]:
    for value in (event.event_date, *(item for fact in event.facts for item in _flat(fact))):
        if isinstance(value, datetime):
            yield value


def _flat(value: tuple[Any, ...]) -> Iterator[Any]:
    for item in value:
        if isinstance(item, tuple):
            yield from _flat(item)
        else:
            yield item


def _comparable(facts: list[Fact], uids: Mapping[PersonIdentity, UUID]) -> tuple[Any, Any]:
    state = fold(facts, uids)
    return (
        {uid: astuple(_nameless(person)) for uid, person in state.persons.items()},
        {key: astuple(stay) for key, stay in state.stays.items()},
    )


def _nameless(person: PersonState) -> PersonState:
    """Return the person without the ids the profile came under: two alike may come under others, and none is stored."""
    told = person.profile
    if told is None:
        return person
    profile = told.profile._replace(person=PersonIdentity(None, None))
    return replace(person, profile=replace(told, profile=profile))


def _survivors(facts: list[Fact], uids: Mapping[PersonIdentity, UUID]) -> list[Fact]:
    """Return the facts without those that change nothing about the others."""
    whole = _comparable(facts, uids)
    kept = list(facts)
    for fact in facts:
        without = [other for other in kept if other is not fact]
        if _comparable(without, uids) == whole:
            kept = without
    return kept
