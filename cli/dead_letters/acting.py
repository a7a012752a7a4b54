"""Run a replay or a discard for a command."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from cli.dead_letters.display import Display
from cli.services import postgres
from runtime.companies import Companies, load_companies
from runtime.lifecycle import run_process
from runtime.logging import configure_logging
from runtime.postgres import POSTGRES_ERRORS, Pool, create_pool
from runtime.settings import load_settings
from schemas.errors import ConfigurationError, ServiceError
from workers.replay import runs
from workers.replay.letters import count_letters
from workers.replay.run import Runner
from workers.replay.runs import Request, Run

_CONNECTIONS = 3
_HOW_ON = "`vibes-pipeline dead-letters runs` tells how far it came, and --resume RUN_ID carries it on"


@dataclass(frozen=True, slots=True)
class Acted:
    """A run as this command leaves it, and what came of the letters it dealt with."""

    run: Run
    display: Display
    interrupted: bool


def act(request: Request | UUID, action: str, *, dry: bool = False) -> Acted:
    """Do what is asked for, or carry a run on by its id; `dry`: only find out what would come of it.

    Ctrl-C ends it cleanly: what is dealt with by then is kept, and the run can be carried on. Raises ServiceError and
    ConfigurationError with what to do.
    """
    settings = load_settings()
    companies = load_companies(settings.companies_file)
    configure_logging("WARNING", settings.log_format, f"dead-letters {action}")
    acted: list[Acted] = []

    async def main(stop: asyncio.Event) -> None:
        async with postgres(settings):
            pass  # Reachable, and with this release's schema: that is told better now than later.
        try:
            async with create_pool(
                settings.database_url.get_secret_value(), f"dead-letters {action}", min_size=0, max_size=_CONNECTIONS
            ) as pool:
                acted.append(await _act(pool, companies, request, action, stop, dry=dry))
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"DATABASE_URL: Postgres failed ({type(error).__name__}); {_HOW_ON}") from error

    run_process(main)
    return acted[0]


async def _act(
    pool: Pool, companies: Companies, request: Request | UUID, action: str, stop: asyncio.Event, *, dry: bool
) -> Acted:
    run = (
        await _begin(pool, request, dry=dry) if isinstance(request, Request) else await _carry_on(pool, request, action)
    )
    display = Display(run, f"{'trying ' if dry else ''}{action}")
    with display:
        if run.resumed:
            display.notice(f"carrying on the run of {run.started_at:%F %T} UTC behind letter {run.after_id}")
        elif not dry and run.total:
            display.notice(f"run {run.run_id}; should it be interrupted, --resume {run.run_id} carries it on")
        async with runs.alone(pool, run):
            try:
                await Runner(pool, companies, display, stop).run(run, dry=dry)
            except ServiceError as error:
                raise ServiceError(f"{error}; {_HOW_ON}") from error
        if not dry:
            run.counts = (await runs.load(pool, run.run_id)).counts
    return Acted(run, display, interrupted=stop.is_set() and not run.finished)


async def _begin(pool: Pool, request: Request, *, dry: bool) -> Run:
    sorts, greatest_id = await count_letters(pool, request.wanted)
    run = Run(request, greatest_id, sum(sort.letters for sort in sorts))
    if not dry:
        await runs.begin(pool, run)
    return run


async def _carry_on(pool: Pool, run_id: UUID, action: str) -> Run:
    run = await runs.load(pool, run_id)
    if run.request.action != action:
        raise ConfigurationError(f"--resume {run_id}: that run is a {run.request.action}, not a {action}")
    return run
