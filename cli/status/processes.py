"""Ask processes of the pipeline, at their admin ports, how they do."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from cli.status.figures import part_of
from cli.status.samples import NOTHING, Samples, read_samples
from runtime.metrics import Part
from runtime.settings import Settings
from schemas.errors import ConfigurationError

_PATIENCE_SECONDS = 2.0
_MOST_IN_A_ROW = 64
"""As many processes as `--processes` starts at most."""
_HERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what listens on all addresses listens here too
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Process:
    """A process, as it told."""

    address: str
    part: Part | None = None
    version: str | None = None
    ready: bool = False
    problem: str | None = None
    """What keeps it from its work, or us from asking it."""
    samples: Samples = NOTHING


def read_addresses(given: Iterable[str]) -> list[str]:
    """Return admin addresses without their paths. Raises ConfigurationError for what is none."""
    addresses = []
    for address in given:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigurationError(f"--admin: {address} is no address. Example: --admin http://ingest:9100")
        addresses.append(f"{parts.scheme}://{parts.netloc}")
    return addresses


async def ask_processes(session: aiohttp.ClientSession, addresses: Iterable[str]) -> list[Process]:
    """Ask those, all at once; one that cannot be reached is returned with why."""
    return list(await asyncio.gather(*(_ask(session, address) for address in addresses)))


async def ask_processes_here(session: aiohttp.ClientSession, settings: Settings) -> list[Process]:
    """Ask those of this machine: at the admin port of each part, and at the next ones, as `--processes` takes them."""
    ports = (settings.ingest_admin_port, settings.apply_admin_port, settings.person_sync_admin_port)
    host = _HERE.get(settings.admin_host, settings.admin_host)
    found = await asyncio.gather(*(_ask_in_a_row(session, host, port) for port in ports if port))
    return [process for row in found for process in row]


async def _ask_in_a_row(session: aiohttp.ClientSession, host: str, port: int) -> list[Process]:
    row: list[Process] = []
    while len(row) < _MOST_IN_A_ROW:
        process = await _ask(session, f"http://{host}:{port + len(row)}")
        # Anything may listen at a default port, and nothing has to.
        if process.part is None:
            break
        row.append(process)
    return row


async def _ask(session: aiohttp.ClientSession, address: str) -> Process:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            _, exposition = await _get(session, f"{address}/metrics")
            status, said = await _get(session, f"{address}/readyz")
        samples = read_samples(exposition)
    except _UNREACHABLE as error:
        return Process(address, problem=f"cannot be asked ({type(error).__name__})")
    part = part_of(samples)
    if part is None:
        return Process(address, problem="tells no metrics of one part of this release")
    versions = [labels["version"] for labels, _ in samples.of("vibes_build_info")]
    ready = status == 200
    return Process(address, part, next(iter(versions), None), ready, None if ready else said.strip(), samples)


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url) as response:
        return response.status, await response.text()
