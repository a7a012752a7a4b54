"""`vibes-pipeline` commands, and other programs of the tests, as processes that start in a tenth of the time.

Importing is nearly all that a command costs, 0.8 s of processor time, and the tests run hundreds of them. So a server
imports everything once, and each command is forked from it (`server.py`). What a test starts and holds is a small
process (`client.py`) that has the command's arguments, environment, directory, standard streams, signals and exit code;
when it is killed, so is the command. Whole stacks, and the tests of the command itself, start it as users do.
"""

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


AS_USERS_DO = (sys.executable, "-m", "cli")
"""A command without a server: its process is the one that was started."""


def vibes_pipeline() -> tuple[str, ...]:
    """Return what to put before the arguments of a command."""
    return forked("cli")


def forked(module: str) -> tuple[str, ...]:
    """Return what to put before the arguments of a module that has a `main()`; of `cli` that of the command.

    Starts the server the first time.
    """
    if sys.platform != "linux":  # the server watches processes in a way that only Linux has
        return (sys.executable, "-m", module)
    return (sys.executable, "-ISE", str(_HERE / "client.py"), _server(), module)


@cache
def _server() -> str:
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
    return address
