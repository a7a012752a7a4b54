"""`vibes-pipeline` commands as processes that start in a tenth of the time.

Importing is nearly all that a command costs, 0.8 s of processor time, and the tests run hundreds of them. So a server
imports everything once, and each command is forked from it (`server.py`). What a test starts and holds is a small
process (`client.py`) that has the command's arguments, environment, directory, standard streams, signals and exit code;
when it is killed, so is the command. Processes that run for long, and the tests of the command itself, are started as
users start them.
"""

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def vibes_pipeline() -> tuple[str, ...]:
    """Return what to put before the arguments of a command. Starts the server the first time."""
    if sys.platform != "linux":  # the server watches processes in a way that only Linux has
        return (sys.executable, "-m", "cli")
    directory = tempfile.TemporaryDirectory(prefix="vp-commands-")
    address = f"{directory.name}/server"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.commands.server", address],
        cwd=_HERE.parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    atexit.register(directory.cleanup)
    atexit.register(server.wait)
    atexit.register(server.stdin.close)
    assert server.stdout.readline() == b"ready\n"
    return (sys.executable, "-ISE", str(_HERE / "client.py"), address)
