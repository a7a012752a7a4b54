"""Tell a history: `python -m cli.history.teller SPEC LEDGER`, a process that `cli.history.telling` starts.

Its output are frames, each with its length (4 bytes, the most significant first) before it: the bodies of the broker
messages, an empty frame, and JSON that has the totals of the history, or the error that ended it.
"""

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson

from schemas.broker_message import encode
from simulator.history.delivery import Delivery
from simulator.history.history import History
from simulator.history.ledger import Totals, delivery_line
from simulator.history.spec import HistorySpec

LENGTH_BYTES = 4


def main() -> None:
    """Tell the history that the arguments describe."""
    fields = orjson.loads(sys.argv[1])
    moments = {name: datetime.fromisoformat(fields[name]) for name in ("begin", "until")}
    spec = HistorySpec(**(fields | moments))
    ledger = Path(sys.argv[2]) if sys.argv[2] else None
    end: dict[str, Any]
    try:
        end = {"totals": asdict(_tell(spec, ledger, sys.stdout.buffer))}
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more, not to a traceback either
    except OSError as error:
        end = {"error": f"--ledger {ledger}: cannot be written ({error.strerror})"}
    _write_frame(sys.stdout.buffer, b"")
    _write_frame(sys.stdout.buffer, orjson.dumps(end))


def _tell(spec: HistorySpec, ledger: Path | None, output: IO[bytes]) -> Totals:
    """Write the messages as frames, and the ledger, if it is wanted, a JSON object a line."""
    with ExitStack() as opened:
        file = opened.enter_context(ledger.open("wb")) if ledger else None

        def note(line: object) -> None:
            if file is not None:
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

        def note_delivery(delivery: Delivery) -> None:
            note(delivery_line(delivery))

        history = History(spec, note_delivery if file else None)
        for message in history.messages():
            _write_frame(output, encode(message))
        for line in history.ledger() if file else ():
            note(line)
    return history.totals()


def _write_frame(output: IO[bytes], frame: bytes) -> None:
    output.write(len(frame).to_bytes(LENGTH_BYTES, "big"))
    output.write(frame)
    output.flush()


if __name__ == "__main__":
    main()
