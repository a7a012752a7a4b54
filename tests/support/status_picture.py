"""Draws docs/operations/status.svg from a real run: `python -m tests.support.status_picture`.

The simulator sends callbacks through the whole pipeline, and `vibes-pipeline status --watch` is what is drawn.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

from rich.console import Console

from cli.status.gather import Status, Watcher
from cli.status.view import Looks, show
from deploy.local.stack import Stack
from runtime.settings import load_settings

PICTURE = Path(__file__).parents[2] / "docs" / "operations" / "status.svg"
COMPANIES = ("acme", "globex")
PARTS = ("simulator", "ingest", "apply", "apply-2", "person-sync")
STORY = {
    "callbacks": 40_000,
    "persons": 2_000,
    "duplicate_ratio": 0.1,
    "malformed": 20,
    "shuffle_window": 500,
    "concurrency": 24,
}
FAULTS = {"too_many_requests_rate": 0.01, "latency_rate": 0.1, "latency_seconds": 0.2}
_EVERY_SECONDS = 2.0
_LOOKS = 5
_WIDTH = 112


def main() -> None:
    """Run the pipeline under load, look a few times, and draw the last look."""
    with Stack(COMPANIES, parts=PARTS, settings={"VIBES_PIPELINE_QUEUE_PREFIX": "vibes"}) as stack:
        _tell(stack, "PUT", "/faults", FAULTS)
        for company_key in COMPANIES:
            _tell(stack, "POST", "/runs", {"company_key": company_key, **STORY})
        addresses = [stack.metrics_url(part).removesuffix("/metrics") for part in PARTS if part != "simulator"]
        with patch.dict("os.environ", stack.environment):
            looks = asyncio.run(_look(addresses))
    PICTURE.write_text(draw(looks), encoding="utf-8")


def draw(looks: Looks) -> str:
    """Return the picture; it fetches nothing from elsewhere, as rich's own would its font."""
    console = Console(width=_WIDTH, record=True, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(show(looks, f"every {_EVERY_SECONDS:g} s, Ctrl-C ends"))
    picture = console.export_svg(title="vibes-pipeline status --watch", unique_id="status")
    return re.sub(r"\s*@font-face \{.*?\}\n", "", picture, flags=re.DOTALL)


async def _look(addresses: list[str]) -> Looks:
    before: Status | None = None
    async with Watcher(load_settings(), addresses) as watcher:
        status = await watcher.look()
        for _ in range(_LOOKS):
            await asyncio.sleep(_EVERY_SECONDS)
            before, status = status, await watcher.look()
    return Looks(status, before)


def _tell(stack: Stack, method: str, path: str, body: Mapping[str, Any]) -> None:
    request = Request(  # noqa: S310 - a loopback URL of ours
        f"{stack.simulator_url}/_simulator{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    request.method = method
    with urlopen(request, timeout=30) as response:  # noqa: S310
        response.read()


if __name__ == "__main__":
    main()
