"""A private RabbitMQ, run from the machine's own ``rabbitmq-server`` (3.10 or later)."""

import json
import os
import secrets
import signal
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.broker import Broker
from deploy.local.errors import ServiceError
from deploy.local.ports import is_free
from deploy.local.processes import kill_tree, wait_until_ended, wait_until_ready
from deploy.local.workspace import Workspace

if TYPE_CHECKING:
    import psutil

_START_SECONDS = 120.0  # measured: 4 to 6 s on two cores; the rest is for a loaded machine
_STOP_SECONDS = 60.0  # measured: 1 s, and 6 s with the management plugin, which waits for its listener
_START_ATTEMPTS = 3
_MEMORY_WATERMARK = "0.4"
# How old the length of a quorum queue in a listing may be (5 s unless told).
_QUEUE_TICK_MILLISECONDS = 250
_ON_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"

# Where packages put it; an ordinary user's PATH has no sbin.
_PLACES = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin")

_MISSING = """RabbitMQ is missing: no rabbitmq-server was found on this machine. Do one of:
  - install it with the system's package manager:  apt-get install rabbitmq-server
  - set AMQP_URL to a broker of yours:             AMQP_URL=amqp://user:password@host:5672/
  - use the services of docker compose:            docker compose up"""

# Erlang terms rather than rabbitmq.conf: translating that file costs 0.7 s at every start.
_CONFIGURATION = """[
 {{rabbit, [
   {{tcp_listeners, [{{"127.0.0.1", {amqp}}}]}},
   {{default_user, <<"{user}">>}},
   {{default_pass, <<"{password}">>}},
   {{vm_memory_high_watermark, {watermark}}},
   {{quorum_tick_interval, {tick}}},
   {{cluster_nodes, {{[{nodes}], disc}}}},
   {{cluster_partition_handling, pause_minority}}
 ]}},
 {{rabbitmq_management, [{{tcp_config, [{{ip, "127.0.0.1"}}, {{port, {management}}}]}}]}}
].
"""

_EMPTY = """
vm_memory_monitor:set_vm_memory_high_watermark({watermark}),
rabbit_vhost:delete(<<"/">>, <<"{user}">>),
rabbit_vhost:add(<<"/">>, <<"{user}">>),
rabbit_auth_backend_internal:set_permissions(<<"{user}">>, <<"/">>, <<".*">>, <<".*">>, <<".*">>, <<"{user}">>).
"""


@dataclass(frozen=True, slots=True)
class Commons:
    """What the nodes of a cluster have in common, a single node being a cluster of one. `epmd_port` 0 takes one."""

    nodes: int = 1
    epmd_port: int = 0
    name: str = field(default_factory=lambda: f"vp-{secrets.token_hex(4)}")
    cookie: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    user: str = field(default_factory=lambda: f"vp_{secrets.token_hex(4)}")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def node(self, number: int) -> str:
        """Return the name of a node, 0 to nodes - 1."""
        return f"{self.name}-{number}@localhost"


class LocalRabbitMQ(Broker):
    """A broker of our own: own node name, ports, cookie, epmd, data and user, reachable on loopback only.

    It is a node of the cluster that has `commons`, the one of this `number`.
    """

    def __init__(
        self, workspace: Workspace, *, management: bool = False, commons: Commons | None = None, number: int = 0
    ) -> None:
        self._workspace = workspace
        self._management = management
        self._commons = commons or Commons()
        self._home = workspace.path / ("rabbitmq" if commons is None else f"rabbitmq-{number}")
        self.log_file = self._home / "console.log"
        self.node = self._commons.node(number)
        self._user, self._password = self._commons.user, self._commons.password
        self._amqp_port = self._management_port = self._distribution_port = 0
        self._environment: dict[str, str] = {}
        self._process: psutil.Popen | None = None

    @property
    def amqp_url(self) -> str:
        """``amqp://`` address of the default virtual host, known from the first start on."""
        return f"amqp://{self._user}:{self._password}@127.0.0.1:{self._amqp_port}/"

    @property
    def management_url(self) -> str | None:
        """Address of the management API and console, if the broker was made with it."""
        if not self._management:
            return None
        return f"http://{self._user}:{self._password}@127.0.0.1:{self._management_port}"

    @property
    def pid(self) -> int | None:
        """Process id of the Erlang machine, None while it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the broker; the first time on new data and free ports, afterwards on the same ones."""
        if self.pid is not None:
            return
        if self._environment:
            self._launch()
            return
        self._initialise()
        for attempt in range(_START_ATTEMPTS):
            self._choose_ports()
            try:
                self._launch()
            except ServiceError:
                if attempt + 1 == _START_ATTEMPTS or all(map(is_free, self._ports())):
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop the broker gracefully; durable data is kept."""
        if self._process is not None and self.pid is not None:
            self._process.send_signal(signal.SIGTERM)
            wait_until_ended(self._process, what="RabbitMQ", log=self.log_file, timeout=_STOP_SECONDS)

    def kill(self) -> None:
        """End the broker with SIGKILL. See `sync_declarations` for queues that were declared just before."""
        if self._process is not None:
            kill_tree(self._process)

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` against the broker and return what it prints. About half a second."""
        return self._workspace.run([_scripts() / "rabbitmqctl", "--quiet", *arguments], environment=self._environment)

    def block_publishers(self) -> None:
        """Raise the memory alarm: the broker stops reading from every connection that publishes."""
        self.ctl("set_vm_memory_high_watermark", "0")

    def unblock_publishers(self) -> None:
        """Clear the memory alarm again."""
        self.ctl("set_vm_memory_high_watermark", _MEMORY_WATERMARK)

    def sync_declarations(self) -> None:
        """Put the queues declared so far on disk, before a kill.

        A new quorum queue is registered on disk only half a second after its declaration was confirmed (seen with
        3.10.8 and 4.0.5; rabbitmq/ra pull request 443). Killed in between, the broker comes back with a queue that
        has no leader, or has lost its messages.
        """
        self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def empty(self) -> None:
        """Delete every queue, exchange and connection of the default virtual host. Under a second.

        The four commands of `rabbitmqctl` this is (set_vm_memory_high_watermark, delete_vhost, add_vhost,
        set_permissions) start an Erlang machine each, which is what costs; so they are sent as one.
        """
        self.ctl("eval", _EMPTY.format(user=self._user, watermark=_MEMORY_WATERMARK))

    def queue_depths(self, vhost: str = "/") -> dict[str, int]:
        """Messages, ready or delivered but not acknowledged, in each queue of a virtual host, at most 250 ms ago."""
        rows = json.loads(self.ctl("list_queues", "--vhost", vhost, "--formatter", "json", "name", "messages"))
        return {row["name"]: int(row["messages"] or 0) for row in rows}

    def _initialise(self) -> None:
        _scripts()
        self._home.mkdir(mode=0o700)
        cookie = self._home / ".erlang.cookie"
        cookie.write_text(self._commons.cookie)
        cookie.chmod(0o400)
        (self._home / "plugins").write_text(f"[{'rabbitmq_management' if self._management else ''}].\n")
        (self._home / "env.conf").touch()

    def _choose_ports(self) -> None:
        ports = [self._workspace.port() for _ in range(4)]
        self._amqp_port, self._management_port, self._distribution_port, epmd_port = ports
        configuration = _CONFIGURATION.format(
            amqp=self._amqp_port,
            management=self._management_port,
            user=self._user,
            password=self._password,
            watermark=_MEMORY_WATERMARK,
            tick=_QUEUE_TICK_MILLISECONDS,
            nodes=", ".join(f"'{self._commons.node(number)}'" for number in range(self._commons.nodes)),
        )
        (self._home / "advanced.config").write_text(configuration)
        self._environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._home),
            # An epmd of our own: Erlang starts it when it finds none at this port.
            "ERL_EPMD_PORT": str(self._commons.epmd_port or epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ON_LOOPBACK,
            # With several nodes all of them answer a listing, and have to reach the command for that.
            "RABBITMQ_CTL_ERL_ARGS": "-dist_listen false" if self._commons.nodes == 1 else _ON_LOOPBACK,
            "RABBITMQ_MNESIA_BASE": str(self._home / "data"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_SCHEMA_DIR": str(self._home / "schema"),
            "RABBITMQ_CONF_ENV_FILE": str(self._home / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "none.conf"),
            "RABBITMQ_CONFIG_FILES": str(self._home / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "plugins"),
        }

    def _ports(self) -> tuple[int, int, int]:
        return self._amqp_port, self._management_port, self._distribution_port

    def _launch(self) -> None:
        # The broker tells systemd, or whoever listens at NOTIFY_SOCKET, when it is ready; told so, its start script
        # also makes way for the Erlang machine instead of staying as its parent.
        with (
            # A socket's path is limited to 107 characters, which a directory somebody named may exceed.
            tempfile.TemporaryDirectory(dir=self._workspace.path if self._workspace.temporary else None) as short,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear,
        ):
            address = f"{short}/notify"
            ear.bind(address)
            ear.setblocking(False)
            self._process = self._workspace.spawn(
                [_scripts() / "rabbitmq-server"],
                log=self.log_file,
                environment={**self._environment, "NOTIFY_SOCKET": address},
            )
            wait_until_ready(
                self._process, lambda: _heard_ready(ear), what="RabbitMQ", log=self.log_file, timeout=_START_SECONDS
            )


def _heard_ready(ear: socket.socket) -> bool:
    try:
        return b"READY=1" in ear.recv(4096)
    except BlockingIOError:
        return False


def _scripts() -> Path:
    """Find the directory of RabbitMQ's own scripts.

    Debian puts wrappers on the PATH that change to the user ``rabbitmq`` and its directories; the scripts proper
    have ``rabbitmq-env`` beside them.
    """
    for place in (*os.environ["PATH"].split(os.pathsep), *_PLACES):
        directory = Path(place, "rabbitmq-server").resolve().parent
        if (directory / "rabbitmq-server").exists() and (directory / "rabbitmq-env").exists():
            return directory
    raise ServiceError(_MISSING)
