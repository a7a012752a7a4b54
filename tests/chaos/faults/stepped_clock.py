"""Runs a part of the pipeline whose wall clock can be stepped: `python -m tests.chaos.faults.stepped_clock PART`.

What reads the wall clock in Python is replaced before anything of the pipeline is imported; the monotonic clock goes
on, as it does when a machine's clock is set. `ClockFile` is where the steps come from: a few bytes both sides map.
"""

import ctypes
import gc
import mmap
import struct
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

_LAYOUT = struct.Struct("dQ")


class ClockFile:
    """How many seconds a process's clock is wrong, and how often it has been read since the last step."""

    def __init__(self, directory: Path, part: str) -> None:
        with (directory / f"clock-{part}").open("a+b") as file:
            file.truncate(_LAYOUT.size)
            self._bytes = mmap.mmap(file.fileno(), _LAYOUT.size)

    def step(self, seconds: float) -> None:
        """Set the clock wrong by so much; 0 sets it right."""
        _LAYOUT.pack_into(self._bytes, 0, seconds, 0)

    @property
    def readings(self) -> int:
        """How often the clock has been read since the last step."""
        return int(_LAYOUT.unpack_from(self._bytes)[1])

    def read(self) -> float:
        """Return by how many seconds the clock is wrong, and count that."""
        seconds, readings = _LAYOUT.unpack_from(self._bytes)
        _LAYOUT.pack_into(self._bytes, 0, seconds, readings + 1)
        return float(seconds)


def install(clock: ClockFile) -> None:
    """Have this process's wall clock follow the file."""
    real_time, real_time_ns, real_now = time.time, time.time_ns, datetime.now

    def now(_: type[datetime], tz: tzinfo | None = None) -> datetime:
        return real_now(tz) + timedelta(seconds=clock.read())

    time.time = lambda: real_time() + clock.read()
    time.time_ns = lambda: real_time_ns() + int(clock.read() * 1e9)
    # A subclass in the place of datetime would not be the type that libraries have asked for; so the type is changed.
    members: Any = gc.get_referents(datetime.__dict__)[0]
    members["now"] = classmethod(now)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))


if __name__ == "__main__":
    install(ClockFile(Path.cwd(), sys.argv[1]))
    from cli.main import main

    main()
