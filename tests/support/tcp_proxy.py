"""A TCP proxy that does to connections what networks do: cuts, resets, falls silent, slows down.

It runs in a thread with an event loop of its own, so that it goes on while its user waits for something that needs it.
"""

import asyncio
import socket
import struct
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from deploy.local.ports import lease_port

Address = tuple[str, int]

_CHUNK_BYTES = 16 * 1024
_COMMAND_SECONDS = 10.0
_NO_LINGER = struct.pack("ii", 1, 0)
"""Lingering for no time makes the kernel send a reset instead of an orderly end."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What happens to the bytes. Use the names below, and `slow`."""

    name: str
    bytes_per_second: float = 0.0
    delay: float = 0.0


PASS = Mode("pass")
"""Bytes go through."""
CUT = Mode("cut")
"""Every connection is closed in good order; new ones are closed as soon as they are made."""
RESET = Mode("reset")
"""The same, with a reset."""
HALF_OPEN = Mode("half_open")
"""Every connection stays open and silent: what one end sends, its end too, never comes to the other. New ones are
silent from the start. When this is over those over which something was lost are reset, as by a firewall that has
forgotten them, and the others go on."""


def slow(bytes_per_second: float, delay: float) -> Mode:
    """Let each piece of at most 16 KiB, in each direction of a connection, wait `delay` seconds, then at this rate."""
    return Mode("slow", bytes_per_second, delay)


@dataclass(frozen=True, slots=True)
class Counts:
    """What has happened so far: connections `accepted`, `broken` (closed or reset by the proxy), `refused` (closed or
    reset when they were made), and bytes passed, swallowed and slowed down."""

    accepted: int = 0
    broken: int = 0
    refused: int = 0
    passed_bytes: int = 0
    swallowed_bytes: int = 0
    slowed_bytes: int = 0

    def since(self, before: "Counts") -> "Counts":
        """Return what was added to `before`."""
        return Counts(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))


class TcpProxy:
    """Listens on a loopback port and passes on to the first of its targets that takes the connection.

    It begins with the target that took the last one: with several targets it stands for a load balancer in front of a
    cluster. Usable from any thread.
    """

    def __init__(self, targets: Sequence[Address]) -> None:
        self.counts = Counts()
        self._targets = list(targets)
        self._lease = lease_port()
        self._port = int(self._lease.getsockname()[1])
        self._mode = PASS
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="tcp proxy", daemon=True)
        self._server: asyncio.Server | None = None

    @classmethod
    def to(cls, *urls: str) -> Self:
        """Make a proxy to the hosts and ports of these URLs, which must name both."""
        return cls([_address(url) for url in urls])

    @property
    def port(self) -> int:
        """Where it listens once it is started."""
        return self._port

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @property
    def open_connections(self) -> int:
        """Connections that go through it now, silent ones too."""
        return len(self._links)

    def url(self, url: str) -> str:
        """Return this URL of a target with the proxy's address in it."""
        address = urlsplit(url)
        login, at, _ = address.netloc.rpartition("@")
        return address._replace(netloc=f"{login}{at}127.0.0.1:{self._port}").geturl()

    def aim_at(self, *urls: str) -> None:
        """Pass new connections on to the hosts and ports of these URLs."""
        self._targets[:] = map(_address, urls)

    def set(self, mode: Mode) -> None:
        """Do this from now on; returns when it has been done to every connection there is."""
        self._run(self._set(mode))

    def break_all(self) -> None:
        """Reset every connection there is; new ones are treated as the mode says."""
        self._run(self._break_all())

    def start(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        self._run(self._listen())
        return self

    def close(self) -> None:
        """Break every connection and stop listening."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._lease.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def count(self, **more: int) -> None:
        """Add to the counts."""
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + n for name, n in more.items()})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first target that takes it, and begin with that one the next time. OSError if none does."""
        problem: OSError = ConnectionRefusedError("the proxy has no target")
        for target in list(self._targets):
            try:
                streams = await asyncio.open_connection(*target)
            except OSError as error:
                problem = error
            else:
                self._targets.sort(key=lambda other: other != target)
                return streams
        raise problem

    def _run(self, command: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(command, self._loop).result(_COMMAND_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode in (CUT, RESET):
            self.count(refused=1)
            _end(writer, reset=self._mode is RESET)
            return
        self.count(accepted=1)
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        for link in list(self._links):
            if mode in (CUT, RESET):
                self.count(broken=1)
                link.end(reset=mode is RESET)
            elif mode is not HALF_OPEN and link.lossy:
                self.count(broken=1)
                link.end(reset=True)

    async def _break_all(self) -> None:
        for link in list(self._links):
            self.count(broken=1)
            link.end(reset=True)

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._break_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


class _Link:
    """One connection through the proxy, of two sockets."""

    def __init__(self, proxy: TcpProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._ended = asyncio.Event()
        self.lossy = False
        """Whether something that one end sent has been kept from the other, or the other was never reached."""

    async def run(self) -> None:
        """Pass bytes on until the link is ended or, unless it is silent, one of its ends is closed."""
        pumps: list[asyncio.Task[None]] = []
        try:
            if self._proxy.mode is HALF_OPEN:
                self.lossy = True
                pumps.append(asyncio.create_task(self._pump(self._reader, None)))
            else:
                there, back = await self._proxy.connect()
                self._writers.append(back)
                pumps += [
                    asyncio.create_task(self._pump(self._reader, back)),
                    asyncio.create_task(self._pump(there, self._writers[0])),
                ]
            await self._ended.wait()
        except OSError:
            self.end(reset=True)  # the target is away, which the caller is to see as if there were no proxy
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.end(reset=False)

    def end(self, *, reset: bool) -> None:
        """Close both sockets."""
        self._ended.set()
        for writer in self._writers:
            _end(writer, reset=reset)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter | None) -> None:
        reset = False
        try:
            while data := await source.read(_CHUNK_BYTES):
                await self._pass_on(data, sink)
        except OSError:
            reset = True
        if self._proxy.mode is HALF_OPEN:
            self.lossy = True  # the other end is not told
        else:
            self.end(reset=reset)

    async def _pass_on(self, data: bytes, sink: asyncio.StreamWriter | None) -> None:
        mode = self._proxy.mode
        if mode.name == "slow":
            self._proxy.count(slowed_bytes=len(data))
            await asyncio.sleep(mode.delay + len(data) / mode.bytes_per_second)
        if sink is None or self.lossy or self._proxy.mode is HALF_OPEN:
            self.lossy = True
            self._proxy.count(swallowed_bytes=len(data))
            return
        sink.write(data)
        await sink.drain()
        self._proxy.count(passed_bytes=len(data))


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        connection = writer.get_extra_info("socket")
        with suppress(OSError):  # closed meanwhile
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()
    else:
        writer.close()
