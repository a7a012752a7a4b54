"""When too much of what comes would become dead letters, and whose fault that is."""

import asyncio
import gzip
import random
from collections.abc import Callable

import pytest

from schemas.callbacks.events import read_event
from schemas.errors import MessageError
from simulator.malformed import malformed_events
from tests.support.bodies import documented_bodies, encoded, person_body, subscription_body
from workers.apply.blame import blames_us
from workers.apply.storm import Limits, PoisonStormError, StormGuard, Window

BUG = MessageError("internal_error", "ZeroDivisionError")
TOO_LONG = MessageError("refused_by_database", "ProgramLimitExceededError")
LIMITS = Limits(share=0.2, at_least=50, window=1000, trial_seconds=0.01)


def filled(*batches: tuple[int, int]) -> Window:
    window = Window(LIMITS)
    for items, poison in batches:
        window.add(items, poison)
    return window


@pytest.mark.parametrize(
    ("before", "batch", "storm"),
    [
        ([], (500, 101), True),
        ([], (500, 100), False),  # exactly the share
        ([], (49, 49), False),  # too few to tell
        ([], (50, 50), True),
        ([(1, 1)] * 49, (1, 1), True),
        ([(500, 0), (500, 0)], (500, 300), False),
        ([(500, 0), (500, 0)], (500, 301), True),
        ([(500, 500), (500, 0), (500, 0)], (1, 1), False),  # long ago
    ],
)
def test_a_storm_is_a_share_of_the_last_callbacks_and_not_a_few(
    before: list[tuple[int, int]], batch: tuple[int, int], storm: bool
) -> None:
    assert filled(*before).is_storm(*batch) is storm


def test_with_a_share_of_one_there_is_never_a_storm() -> None:
    assert not Window(Limits(1.0, 50, 1000, 1.0)).is_storm(500, 500)


async def never() -> None:
    raise AssertionError("no trial is asked for")


async def test_a_batch_is_a_storm_as_soon_as_enough_of_it_is_refused() -> None:
    guard = StormGuard("callbacks", LIMITS)
    case = guard.case(100, 10, never)
    case.refused([BUG] * 39 + [TOO_LONG] * 60)
    guard.refuse_while_raging()
    with pytest.raises(PoisonStormError, match="50 of 100"):
        case.refused([BUG] * 40)
    assert guard.problem is not None
    with pytest.raises(PoisonStormError):
        guard.refuse_while_raging()


async def test_one_message_of_a_later_release_is_a_storm_that_no_trial_ends() -> None:
    guard = StormGuard("callbacks", LIMITS)
    guard.refuse_later(0)
    assert guard.problem is None
    with pytest.raises(PoisonStormError, match="later release"):
        guard.refuse_later(1)
    with pytest.raises(PoisonStormError):
        guard.refuse_while_raging()
    await guard._try()
    assert guard.problem is not None


async def test_who_wants_no_storms_has_messages_of_a_later_release_set_aside() -> None:
    guard = StormGuard("callbacks", Limits(1.0, 50, 1000, 1.0))
    guard.refuse_later(60)
    assert guard.problem is None


async def test_a_storm_is_over_when_a_trial_succeeds_and_the_window_begins_anew() -> None:
    mended = asyncio.Event()
    tried = 0
    guard = StormGuard("callbacks", LIMITS)

    async def trial() -> None:
        nonlocal tried
        tried += 1
        if tried == 3:
            mended.set()
        if not mended.is_set():
            guard.case(100, 100, trial)
        if tried == 2:
            raise ConnectionResetError

    stop = asyncio.Event()
    running = asyncio.create_task(guard.run(stop))
    with pytest.raises(PoisonStormError):
        guard.case(100, 100, trial)
    async with asyncio.timeout(10):
        await guard.wait_for_calm(stop)
    assert tried == 3
    assert guard.problem is None
    guard.case(49, 49, never).settled()
    stop.set()
    await running


async def test_whoever_waits_for_calm_is_let_go_at_the_end_of_the_process() -> None:
    guard, stop = StormGuard("callbacks", LIMITS), asyncio.Event()
    with pytest.raises(PoisonStormError):
        guard.case(100, 100, never)
    waiting = asyncio.create_task(guard.wait_for_calm(stop))
    await asyncio.sleep(0)
    assert not waiting.done()
    stop.set()
    await waiting


def refusal(body: bytes) -> MessageError | None:
    try:
        read_event("acme", body)
    except MessageError as problem:
        return problem
    return None


def test_rubbish_is_never_our_fault() -> None:
    judged = 0
    for event in malformed_events(random.Random(1), 200):
        if (problem := refusal(event.body)) is not None:
            judged += 1
            assert not blames_us(problem, event.body), (problem.reason, event.variant)
    assert judged > 100


@pytest.mark.parametrize("reason", ["internal_error", "refused_by_database"])
def test_bugs_and_refusals_of_the_database_are_our_fault_whatever_the_body(reason: str) -> None:
    assert blames_us(MessageError(reason), b"{")


@pytest.mark.parametrize(
    "reason", ["not_json", "no_type", "unknown_type", "missing_person", "missing_list", "missing_date", "of_tomorrow"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_a_reader_misses_although_it_is_there_is_our_fault(reason: str, pack: Callable[[bytes], bytes]) -> None:
    body = pack(encoded(subscription_body()))
    assert blames_us(MessageError(reason), body, None if pack is bytes else "gzip")


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("missing_person", encoded(subscription_body(person={"external_id": "7", "id": " "}))),
        ("missing_person", encoded(person_body(person_id=True))),
        ("missing_list", encoded(subscription_body(list_id=None))),
        ("missing_date", b'{"callback_type":"subscription_added","event_date":"yesterday","subscription":{}}'),
        ("missing_subscription", b'{"callback_type":"subscription_added"}'),
        ("unknown_type", b'{"callback_type":"of_tomorrow","person":{"id":"1"}}'),
        ("no_type", b'{"callback_type":"  "}'),
        ("too_deep", b'{"callback_type":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("bad_encoding", b"\x1f\x8b broken"),
        ("not_json", b'{"callback_type":"person_added","a":NaN}'),
        ("not_json", b'{"callback_type":"person_added","a":"\\ud83d"}'),
    ],
)
def test_what_is_not_there_is_the_senders_fault(reason: str, body: bytes) -> None:
    assert not blames_us(MessageError(reason), body, "gzip" if reason == "bad_encoding" else None)


def test_a_reader_that_cannot_read_any_documented_body_is_blamed_for_nearly_all_of_them() -> None:
    bodies = [body for body in documented_bodies() if refusal(body) is None]
    blamed = [body for body in bodies if blames_us(MessageError("not_json"), body)]
    # The documented wallet bodies tell no type.
    assert len(blamed) > 0.6 * len(bodies)
