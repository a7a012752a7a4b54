"""Open loop: callbacks come at a rate that does not depend on the answers, as Vibes' do.

`python -m benchmarks.load.open_loop --url U --rate R --seconds S --connections C --bodies FILE --output OUT.json`
"""

import gc
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop

from benchmarks.load.sender import Sender
from deploy.local.errors import ServiceError

_LATE_MS = 10.0
_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class OpenLoopResult:
    """What came back. `due` requests had to be sent; `statuses` counts answers.

    Without an answer are those `broken` (the server closed the connection) and `unanswered` (not answered, or not even
    sent, 10 s after the last one's time).

    Latencies count from the time a request was scheduled for, so what waits for a free connection, or for this
    process, is in them. `kept_schedule` is false when one request in a hundred was noticed more than 10 ms late: then
    the latencies tell of this process, not of the server.
    """

    rate: float
    achieved_rate: float
    due: int
    sent: int
    answered: int
    acknowledged: int
    statuses: dict[str, int]
    broken: int
    unanswered: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    late_p99_ms: float
    late_max_ms: float
    kept_schedule: bool

    @property
    def answers_503(self) -> int:
        """Requests that Vibes would have to send again."""
        return self.statuses.get("503", 0)


def run_open_loop(
    url: str,
    bodies_file: Path,
    *,
    rate: float,
    seconds: float,
    connections: int,
    output: Path,
    acknowledged: Path | None = None,
) -> OpenLoopResult:
    """POST the first `rate` times `seconds` lines of a file, each once, from a process of its own.

    `output` gets the result, `acknowledged` a line for each 2xx: event_id, tab, `time.time()` of the answer. Raises
    ServiceError when the file is too short or the server not there.
    """
    options = {
        "url": url,
        "bodies": bodies_file,
        "rate": rate,
        "seconds": seconds,
        "connections": connections,
        "output": output,
    } | ({} if acknowledged is None else {"acknowledged": acknowledged})
    arguments = [f"--{name}={value}" for name, value in options.items()]
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + _AFTER_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"the open-loop client did not end {_AFTER_SECONDS:g} s after its time") from error
    if ended.returncode != 0:
        # The URL, which may be repeated, holds the endpoint's key.
        raise ServiceError(f"the open-loop client failed: {ended.stderr.replace(url, '(the URL)').strip()}")
    return OpenLoopResult(**json.loads(output.read_text()))


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    url: Annotated[str, typer.Option()],
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")],
    seconds: Annotated[float, typer.Option(min=0.01)],
    connections: Annotated[int, typer.Option(min=1)],
    bodies: Annotated[Path, typer.Option(help="A body a line; each is sent once, in order.")],
    output: Annotated[Path, typer.Option(help="Where the result is written, as JSON.")],
    acknowledged: Annotated[Path | None, typer.Option(help="A line for each 2xx: event_id, tab, time.")] = None,
) -> None:
    """Send callbacks at a steady rate and write what came back."""
    count = int(rate * seconds)
    with bodies.open("rb") as file:
        lines = [line.rstrip(b"\n") for line in islice(file, count)]
    if len(lines) < count:
        sys.exit(f"{bodies} has {len(lines)} bodies, but {rate:g} a second for {seconds:g} s are {count}")
    try:
        sender = uvloop.run(_send(url, lines, rate, connections))
    except OSError as error:
        sys.exit(f"the server cannot be connected to: {error}")
    output.write_text(json.dumps(asdict(_result(sender, len(lines), rate, seconds))))
    if acknowledged is not None:
        _write_acknowledged(acknowledged, lines, sender)


async def _send(url: str, bodies: Sequence[bytes], rate: float, connections: int) -> Sender:
    sender = Sender(url, bodies, rate=rate, connections=connections)
    gc.collect()
    gc.disable()  # a pause would make requests late; there is an end to what piles up
    await sender.run()
    return sender


def _result(sender: Sender, due: int, rate: float, seconds: float) -> OpenLoopResult:
    latencies = sorted(sender.latencies)
    lateness = sorted(sender.lateness)
    late_p99_ms = _milliseconds(lateness, 0.99)
    return OpenLoopResult(
        rate=rate,
        achieved_rate=round(sender.sent / max(seconds, sender.sending_seconds), 1),
        due=due,
        sent=sender.sent,
        answered=len(latencies),
        acknowledged=len(sender.acknowledged),
        statuses={str(status): count for status, count in sorted(sender.statuses.items())},
        broken=sender.broken,
        unanswered=due - len(latencies) - sender.broken,
        p50_ms=_milliseconds(latencies, 0.5),
        p99_ms=_milliseconds(latencies, 0.99),
        p999_ms=_milliseconds(latencies, 0.999),
        max_ms=_milliseconds(latencies, 1.0),
        late_p99_ms=late_p99_ms,
        late_max_ms=_milliseconds(lateness, 1.0),
        kept_schedule=late_p99_ms <= _LATE_MS,
    )


def _milliseconds(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of an ordered sequence of seconds does not exceed; 0 of none."""
    return round(ordered[max(0, -int(-len(ordered) * share // 1) - 1)] * 1000, 2) if ordered else 0.0


def _write_acknowledged(path: Path, bodies: Sequence[bytes], sender: Sender) -> None:
    with path.open("w") as file:
        file.writelines(
            f"{orjson.loads(bodies[number]).get('event_id')}\t{moment:.6f}\n" for number, moment in sender.acknowledged
        )


if __name__ == "__main__":
    app()
