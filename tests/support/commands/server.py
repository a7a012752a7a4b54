"""Imports what commands need, then forks a process for each one: `python -m tests.support.commands.server ADDRESS`.

Ends when its standard input does.
"""

import gc
import io
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import cli


def serve(address: str) -> None:
    """Take commands until standard input ends."""
    for module in pkgutil.walk_packages(cli.__path__, "cli."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who mind a command
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _mind(client)
        client.close()


def _mind(client: socket.socket) -> NoReturn:
    """Run one command; pass signals on to it, end it when the client has ended, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(client, 8, 3)
    if not size:  # the client was killed
        os._exit(0)
    directory, count, *rest = _read(client, int.from_bytes(size, "big")).split(b"\0")
    (module, *arguments), environment = rest[: int(count)], rest[int(count) :]
    command = os.fork()
    if command == 0:
        client.close()
        os._exit(_run(directory, os.fsdecode(module), arguments, environment, streams))
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(command)
    watched: list[int] = [client.fileno(), ended]
    while ended not in select.select(watched, [], [])[0]:
        for number in client.recv(16) or [signal.SIGKILL]:
            os.kill(command, number)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with suppress(BrokenPipeError):  # the client was killed
        client.sendall(code.to_bytes(8, "big", signed=True))
    os._exit(0)


def _read(client: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        parts += client.recv(size - len(parts))
    return parts


def _run(directory: bytes, module: str, arguments: list[bytes], environment: list[bytes], streams: list[int]) -> int:
    """Become the program, as far as one can; return its exit code."""
    os.chdir(directory)
    os.environb.clear()
    for variable in environment:
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    time.tzset()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = io.TextIOWrapper(io.FileIO(0), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding="utf-8", errors="backslashreplace", write_through=True)
    sys.modules["__main__"].__package__ = None  # or the usage would tell of `python -m` this module
    sys.argv = ["vibes-pipeline", *map(os.fsdecode, arguments)]
    code = 0
    try:
        import_module("cli.main" if module == "cli" else module).main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else error.code is not None
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - told as the interpreter would, for it ends here
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = 120
    return code


if __name__ == "__main__":
    serve(sys.argv[1])
