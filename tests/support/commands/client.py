"""Has a command run by the server, and stands for it: what is done to this process is done to the command.

Imports as little as it can.
"""

import os
import signal
import socket
import sys

RELAYED = (signal.SIGINT, signal.SIGTERM)


def main(address: str, arguments: list[str]) -> None:
    """Run the command to its end, and end as it ended."""
    server = socket.socket(socket.AF_UNIX)
    server.connect(address)
    for number in RELAYED:
        signal.signal(number, lambda number, _frame: server.sendall(bytes([number])))
    environment = [b"%s=%s" % item for item in os.environb.items()]
    directory = os.getcwdb()  # noqa: PTH109 - pathlib is slow to import
    parts = [directory, b"%d" % len(arguments), *map(os.fsencode, arguments), *environment]
    told = b"\0".join(parts)
    socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(told)
    for stream in (0, 1, 2):
        os.close(stream)
    code = int.from_bytes(server.recv(8), "big", signed=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main(sys.argv[1], sys.argv[2:])
