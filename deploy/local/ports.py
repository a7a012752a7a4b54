"""Loopback ports for private services."""

import random
import socket

from deploy.local.errors import ServiceError

# Below the range from which Linux and macOS take ports for outgoing connections. A port inside it may be taken by a
# client that reconnects while the server is down: it then connects to itself and the server cannot come back.
_PORTS = range(20000, 30000)


def lease_port() -> socket.socket:
    """Find a TCP port that nobody listens on and keep it from other users of this function.

    The lease is a UDP socket bound to the same number, which no second one can be: it holds while the service is
    stopped, across processes, and the kernel takes it back however its holder ends. ServiceError if none is free.
    """
    for port in random.sample(_PORTS, 1000):
        lease = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lease.bind(("127.0.0.1", port))
        except OSError:
            lease.close()
            continue
        if is_free(port):
            return lease
        lease.close()
    raise ServiceError(f"no free port found on 127.0.0.1 between {_PORTS[0]} and {_PORTS[-1]}")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this TCP port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
