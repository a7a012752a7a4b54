"""Certificates for tests, and services that speak TLS with them."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from deploy.local.postgres import LocalPostgres
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.workspace import Workspace

LONG_AGO = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate with its key, and the CA that signed it, in a directory."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "tls.crt"

    @property
    def key(self) -> Path:
        return self.directory / "tls.key"

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    def write(self, ca: trustme.CA, leaf: trustme.LeafCert) -> "Files":
        """Put these in the place of what was there."""
        self.certificate.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
        self.key.write_bytes(leaf.private_key_pem.bytes())
        self.ca.write_bytes(ca.cert_pem.bytes())
        return self

    def server_context(self) -> ssl.SSLContext:
        """Return what a server needs to show the certificate, and to check that of a client who shows one."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ca))
        context.load_cert_chain(self.certificate, self.key)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


class TlsRabbitMQ(LocalRabbitMQ):
    """A RabbitMQ that also takes TLS; the certificate of a client is checked when it shows one."""

    def __init__(self, workspace: Workspace, files: Files) -> None:
        super().__init__(workspace)
        self._tls_port = workspace.port()
        self._files = files

    def _initialise(self) -> None:
        super()._initialise()
        (self._home / "conf.d").mkdir()
        (self._home / "conf.d" / "tls.conf").write_text(
            f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}\n"
            f"ssl_options.cacertfile = {self._files.ca}\n"
            f"ssl_options.certfile = {self._files.certificate}\n"
            f"ssl_options.keyfile = {self._files.key}\n"
            "ssl_options.verify = verify_peer\n"
            "ssl_options.fail_if_no_peer_cert = false\n"
        )

    @property
    def tls_url(self) -> str:
        """The ``amqps://`` address."""
        return f"amqps://{self._user}:{self._password}@localhost:{self._tls_port}/"

    def read_certificate_again(self) -> None:
        """Have the broker read its certificate again now; Erlang keeps it for two minutes."""
        self.ctl("eval", "ssl:clear_pem_cache().")


class SystemPostgres(LocalPostgres):
    """A PostgreSQL with TLS, from the machine's own packages: the wheel the other tests use is built without."""

    def __init__(self, workspace: Workspace, files: Files, programs: Path) -> None:
        super().__init__(workspace, durable=False)
        self._files = files
        self._system = programs

    def _programs(self) -> Path:
        return self._system

    def _initialise(self) -> None:
        self._home.mkdir(mode=0o700)
        password_file = self._home / "password"
        password_file.write_text(self._password)
        for path in (self._home, password_file):
            self._give(path)
        self._workspace.run(
            [
                *(self._system / "initdb", "--pgdata", self._data, "--username", self._user, "--pwfile", password_file),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            ],
            environment=self._environment,
            user=self._account,
        )
        for source in (self._files.certificate, self._files.key, self._files.ca):
            target = self._data / source.name
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)
            self._give(target)
        tls = {"ssl": "on", "ssl_cert_file": "tls.crt", "ssl_key_file": "tls.key", "ssl_ca_file": "ca.crt"}
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in {**self._settings, **tls}.items())
        # Over the network with TLS and a client certificate of the CA only; psql of the wheel, which has no TLS, is not
        # needed here.
        (self._data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256 clientcert=verify-ca\n")

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account, -1)


def system_postgres() -> Path | None:
    """Return where the machine's own PostgreSQL server has its programs, the newest; None when it has none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@asynccontextmanager
async def postgres_with_tls(database_url: str, files: Files | None) -> AsyncIterator[str]:
    """Give a PostgreSQL TLS, and return its URL: the wheel the tests' server comes from is built without.

    It answers the request for TLS that begins a connection as PostgreSQL does, and hands on what is said then. It reads
    the files for each connection anew. With `files` None it refuses TLS, as a PostgreSQL does that has none.
    """
    parts = urlsplit(database_url)
    assert parts.hostname is not None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ahead = await reader.readexactly(8)
        if ahead == _SSL_REQUEST:
            writer.write(b"N" if files is None else b"S")
            if files is not None:
                with suppress(OSError):
                    await writer.start_tls(files.server_context())
                if writer.get_extra_info("ssl_object") is None:
                    writer.close()
                    return
            ahead = b""
        behind_reader, behind_writer = await asyncio.open_connection(parts.hostname, parts.port)
        behind_writer.write(ahead)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_copy(reader, behind_writer))
            tasks.create_task(_copy(behind_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@localhost:{port}").geturl()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
