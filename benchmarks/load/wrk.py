"""Closed loop: so many connections, each of which sends its next callback once the last one was answered."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import ServiceError

_SCRIPT = Path(__file__).with_name("wrk.lua")
_AFTER_SECONDS = 30.0
"""wrk reads the bodies before it starts, and looks for late answers at its end."""
_MISSING = """wrk is missing, which `make bench` measures with. Install it with the system's package manager, for
example: apt-get install wrk"""


@dataclass(frozen=True, slots=True)
class WrkResult:
    """What wrk saw. Every request is answered or among the errors, but for at most one under way a connection.

    `errors` counts what was not an answer, by kind (connect, read, write, timeout: 2 s). Latencies are from the
    sending of a request to its answer. wrk corrects them: after a wait of more than two mean intervals between the
    requests of a connection it adds the requests that it would have sent meanwhile, each with what would have been
    left of the wait.
    """

    requests_per_second: float
    requests: int
    seconds: float
    statuses: dict[str, int]
    errors: dict[str, int]
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    @property
    def acknowledged(self) -> int:
        """Requests answered 2xx."""
        return sum(count for status, count in self.statuses.items() if status.startswith("2"))


def run_wrk(url: str, bodies_file: Path, *, connections: int, seconds: float, threads: int = 1) -> WrkResult:
    """POST the lines of a file in turn, over and over, and return what came back.

    `seconds` is rounded to whole ones, as wrk takes no others. Raises ServiceError when wrk is missing or fails.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise ServiceError(_MISSING)
    with bodies_file.open("rb") as lines:
        apart = sum(1 for _ in lines) // threads
    whole_seconds = max(1, round(seconds))
    command = [wrk, f"-t{threads}", f"-c{connections}", f"-d{whole_seconds}s", f"-s{_SCRIPT}", url]
    try:
        ended = subprocess.run(
            [*command, "--", str(bodies_file), str(apart)],
            capture_output=True,
            text=True,
            check=False,
            timeout=whole_seconds + _AFTER_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"wrk did not end {_AFTER_SECONDS:g} s after its time") from error
    if ended.returncode != 0 or not ended.stdout.rstrip().endswith("}"):
        # The URL, which wrk may repeat, holds the endpoint's key.
        complaint = (ended.stderr or ended.stdout).replace(url, "(the URL)").strip()
        raise ServiceError(f"wrk failed ({ended.returncode}): {complaint}")
    return _read(ended.stdout.rstrip().rpartition("\n")[2])


def _read(line: str) -> WrkResult:
    told = json.loads(line)
    seconds = told["microseconds"] / 1e6
    p50, p90, p99, p999, longest = (round(microseconds / 1000, 2) for microseconds in told["latencies"])
    return WrkResult(
        requests_per_second=told["requests"] / seconds,
        requests=told["requests"],
        seconds=seconds,
        statuses=told["statuses"],
        errors=told["errors"],
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        p999_ms=p999,
        max_ms=longest,
    )
