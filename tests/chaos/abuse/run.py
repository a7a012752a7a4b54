"""Abuses a real ingest, on real services, while good callers call it, and looks at what came of it."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlsplit

from deploy.local.stack import Stack
from tests.chaos.abuse.aftermath import Watch, audit, compare_stored, connections_cut, note_ended, read_logs
from tests.chaos.abuse.attempts import Place, make
from tests.chaos.abuse.companion import companion
from tests.chaos.abuse.judge import Verdicts
from tests.chaos.abuse.wire import wire_to

_COMPANY = "abused"
_SETTINGS = {"VIBES_PIPELINE_INGEST_TRUSTED_PROXIES": "1"}
"""So that strangers can be told from Vibes although all call from this machine."""
_ABUSERS = 96
_MOST_MIB = {"ingest": 512.0, "apply": 768.0}


async def run(
    *,
    requests: int = 100_000,
    seconds: float = 240.0,
    seed: int | None = None,
    connections: int = 10_000,
    good_p99_ms: float = 1_000.0,
) -> dict[str, Any]:
    """Abuse until so many requests were sent, or so many seconds have passed, whichever comes first.

    `connections`: so many are held beside, idle or with headers that never end; ingest may have two hundred fewer.
    `good_p99_ms`: slower answers to the good callers are a finding; the pipeline, its services, the abusers and they
    share this machine, so that it says something on a machine that does nothing else only.
    Returns `requests, seed, findings, ok, good_callers, max_rss_mib` and some more figures. The same seed sends the
    same requests, in about the same order. Raises ServiceError when the services cannot be started.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    settings = {**_SETTINGS, "VIBES_PIPELINE_INGEST_MAX_CONNECTIONS": str(max(100, connections - 200))}
    stack = Stack((_COMPANY,), parts=("ingest", "apply"), settings=settings)
    await asyncio.to_thread(stack.__enter__)
    try:
        report = await _abuse(stack, requests, seconds, seed, connections, good_p99_ms)
    except BaseException as error:
        await asyncio.to_thread(stack.__exit__, type(error), error, None)
        raise
    await asyncio.to_thread(stack.__exit__, None, None, None)
    return report


async def _abuse(
    stack: Stack, requests: int, seconds: float, seed: int, connections: int, good_p99_ms: float
) -> dict[str, Any]:
    url = urlsplit(stack.callback_url(_COMPANY))
    host, port = url.hostname or "127.0.0.1", url.port or 80
    company = stack.companies[_COMPANY]
    place = Place(url.path, company.crm_token)
    verdicts = Verdicts()
    watch = Watch(stack.parts.values())
    watching = asyncio.ensure_future(watch.run())
    good_receipts = stack.directory / "good-receipts.txt"
    began = time.monotonic()
    numbers = itertools.count()
    try:
        async with (
            companion("tests.chaos.abuse.callers", url.geturl(), str(good_receipts)) as callers,
            companion(
                "tests.chaos.abuse.crowd",
                *(host, str(port), url.path, str(connections * 4 // 5), str(connections // 5)),
            ) as crowd,
        ):
            until = began + seconds
            await asyncio.gather(
                *(
                    _attempt_on(host, port, f"127.0.1.{abuser + 1}", place, verdicts, seed, numbers, requests, until)
                    for abuser in range(_ABUSERS)
                )
            )
            crowd_figures, good = await asyncio.gather(crowd.finish(), callers.finish())
        crowd_figures["cut"] = await asyncio.to_thread(connections_cut, stack)
        receipts = [*verdicts.receipts, *good_receipts.read_text().split()]
        account = await audit(stack, receipts, verdicts)
        compared = await compare_stored(stack, verdicts)
        note_ended(stack, verdicts)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    refusals = read_logs(stack, (company.endpoint_key, company.crm_token, company.password), verdicts)
    verdicts.conclude()
    _judge_callers(good, good_p99_ms, verdicts)
    _judge_memory(watch.most, verdicts)
    return {
        "requests": verdicts.requests,
        "seed": seed,
        "findings": verdicts.findings,
        "ok": not verdicts.found,
        "good_callers": good,
        "max_rss_mib": {name: round(most, 1) for name, most in watch.most.items()},
        "cpu_seconds": {name: round(seconds, 1) for name, seconds in watch.cpu_seconds.items()},
        "crowd": crowd_figures,
        "statuses": dict(verdicts.statuses.most_common()),
        "refusals": refusals,
        "kinds": dict(verdicts.kinds.most_common()),
        "acknowledged": len(receipts),
        "outcomes": account["receipts"]["outcomes"],
        "compared_bodies": compared,
        "slowest_answer_ms": round(verdicts.slowest * 1000),
        "seconds": round(time.monotonic() - began, 1),
    }


async def _attempt_on(
    host: str,
    port: int,
    source: str,
    place: Place,
    verdicts: Verdicts,
    seed: int,
    numbers: Iterator[int],
    requests: int,
    until: float,
) -> None:
    """Send one attempt after the other, until there were enough."""
    async with wire_to(host, port, source) as wire:
        while verdicts.requests < requests and time.monotonic() < until:
            number = next(numbers)
            attempt = make(Random(f"{seed}:{number}"), place)
            try:
                reply = await wire.run(attempt)
            except (OSError, ValueError) as error:
                verdicts.note(f"{type(error).__name__}: {error}", number=number, attempt=attempt)
                wire.close()
            else:
                verdicts.judge(number, attempt, reply)


def _judge_callers(good: dict[str, Any], most_p99_ms: float, verdicts: Verdicts) -> None:
    if good["gave_up"] or good["acknowledged"] != good["sent"]:
        verdicts.note(f"of {good['sent']} callbacks of good callers {good['acknowledged']} were acknowledged")
    if good["retried"] > max(5, good["sent"] // 100):
        verdicts.note(f"good callers had to try {good['retried']} times again")
    if good["p99_ms"] > most_p99_ms:
        verdicts.note(f"the p99 of good callers is {good['p99_ms']} ms")


def _judge_memory(most: dict[str, float], verdicts: Verdicts) -> None:
    for name, mib in most.items():
        if mib > _MOST_MIB[name]:
            verdicts.note(f"{name} held {mib:.0f} MiB; bound is {_MOST_MIB[name]:.0f}")
