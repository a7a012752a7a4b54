"""CPU time that processes have used."""

from urllib.parse import urlsplit

import psutil

from deploy.local.errors import ServiceError


def cpu_seconds(process: psutil.Process) -> float:
    """Return what a process has used, its ended children included. Raises ServiceError when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess as error:
        raise ServiceError(f"process {process.pid} has ended: see its log") from error
    return float(times.user + times.system + times.children_user + times.children_system)


def server_of(backend_pid: int) -> psutil.Process | None:
    """Return the PostgreSQL server one of whose backends has this process id; None when it runs elsewhere."""
    try:
        backend = psutil.Process(backend_pid)
        server = backend.parent()
        return server if "postgres" in backend.name() else None
    except psutil.Error:
        return None


def broker_of(amqp_url: str) -> psutil.Process | None:
    """Return the RabbitMQ node that listens at this address; None when it runs elsewhere, or cannot be seen."""
    address = urlsplit(amqp_url)
    if address.hostname not in ("127.0.0.1", "localhost", "::1"):
        return None
    try:
        listeners = (
            psutil.Process(each.pid)
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.pid and each.laddr and each.laddr.port == address.port
        )
        # In the place of a container's node its proxy may listen.
        return next((process for process in listeners if process.name().startswith("beam")), None)
    except psutil.Error:
        return None


def server_cpu_seconds(server: psutil.Process) -> float:
    """Return what a PostgreSQL server and all its processes, running or ended, have used."""
    used = cpu_seconds(server)
    for child in server.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended just now; its parent counts it from the next time on
        used += times.user + times.system
    return used
