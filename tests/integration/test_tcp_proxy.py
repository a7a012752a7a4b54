"""The TCP proxy of the tests, between real sockets."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from tests.support.tcp_proxy import CUT, HALF_OPEN, PASS, RESET, Counts, TcpProxy, slow

_PATIENCE_SECONDS = 5.0
_SILENCE_SECONDS = 0.2


class Echo(ThreadingTCPServer):
    """Sends back what it gets, and remembers how many callers it has had and how many are still there."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echoing)
        self.callers = 0
        self.present = 0

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port


class _Echoing(BaseRequestHandler):
    server: Echo

    def handle(self) -> None:
        self.server.callers += 1
        self.server.present += 1
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except ConnectionError:
            pass  # what the proxy does to us is seen in `present`
        finally:
            self.server.present -= 1


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy([echo.address]) as proxy:
        yield proxy


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), _PATIENCE_SECONDS)


def ask(connection: socket.socket, text: bytes = b"hello") -> bytes:
    connection.sendall(text)
    return connection.recv(65536)


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(_SILENCE_SECONDS)
    try:
        return connection.recv(1) is None
    except TimeoutError:
        return True
    finally:
        connection.settimeout(_PATIENCE_SECONDS)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_bytes_go_through_both_ways_and_are_counted(proxy: TcpProxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"
        assert proxy.open_connections == 1

    wait_for(lambda: proxy.open_connections == 0)
    assert proxy.counts == Counts(accepted=1, passed_bytes=10)


def test_the_server_learns_that_the_caller_has_closed(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as connection:
        ask(connection)

    wait_for(lambda: echo.present == 0)


def test_a_url_keeps_everything_but_its_host_and_port(proxy: TcpProxy) -> None:
    assert proxy.url("amqp://user:pass@10.0.0.1:5672/vhost") == f"amqp://user:pass@127.0.0.1:{proxy.port}/vhost"
    assert proxy.url("http://10.0.0.1:80/a?b=c") == f"http://127.0.0.1:{proxy.port}/a?b=c"


def test_when_cut_connections_end_and_new_ones_end_at_once_until_healed(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as old:
        ask(old)
        proxy.set(CUT)
        assert old.recv(1) == b""
    with connect(proxy) as new:
        assert new.recv(1) == b""
    wait_for(lambda: echo.present == 0)
    assert (proxy.counts.broken, proxy.counts.refused, echo.callers) == (1, 1, 1)

    proxy.set(PASS)
    with connect(proxy) as healed:
        assert ask(healed) == b"hello"


def test_when_reset_both_ends_see_a_reset(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as old:
        ask(old)
        proxy.set(RESET)
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as new:  # in time for connect to see it, or not
        new.recv(1)
    wait_for(lambda: echo.present == 0)
    assert (proxy.counts.broken, proxy.counts.refused) == (1, 1)


def test_when_half_open_both_ends_stay_and_hear_nothing(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as old, connect(proxy) as gone:
        ask(old)
        ask(gone)
        proxy.set(HALF_OPEN)
        old.sendall(b"lost")
        gone.close()

        assert is_silent(old)
        assert echo.present == 2, "the server has not heard that the caller has gone"
        wait_for(lambda: proxy.counts.swallowed_bytes == 4)


def test_connections_made_while_half_open_are_silent_and_never_reach_the_server(proxy: TcpProxy, echo: Echo) -> None:
    proxy.set(HALF_OPEN)

    with connect(proxy) as connection:
        connection.sendall(b"lost")
        assert is_silent(connection)
        assert echo.callers == 0

        proxy.set(PASS)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_after_half_open_what_lost_something_is_reset_and_the_rest_goes_on(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as talked, connect(proxy) as quiet:
        ask(talked)
        ask(quiet)
        proxy.set(HALF_OPEN)
        talked.sendall(b"lost")
        wait_for(lambda: proxy.counts.swallowed_bytes == 4)

        proxy.set(PASS)
        with pytest.raises(ConnectionResetError):
            talked.recv(1)
        assert ask(quiet) == b"hello"
        wait_for(lambda: echo.present == 1)


def test_when_slow_an_answer_takes_its_time_and_nothing_is_lost(proxy: TcpProxy) -> None:
    proxy.set(slow(bytes_per_second=50_000, delay=0.1))
    text = bytes(range(250)) * 20

    with connect(proxy) as connection:
        began = time.monotonic()
        connection.sendall(text)
        got = b""
        while len(got) < len(text):
            got += connection.recv(65536)

    assert got == text
    assert time.monotonic() - began >= 2 * (0.1 + 5_000 / 50_000)
    assert proxy.counts.slowed_bytes == 2 * len(text)


def test_breaking_all_connections_leaves_the_mode_as_it_is(proxy: TcpProxy) -> None:
    with connect(proxy) as old:
        ask(old)
        proxy.break_all()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with connect(proxy) as new:
        assert ask(new) == b"hello"
    assert proxy.counts.broken == 1


def test_with_several_targets_it_takes_the_first_that_answers(echo: Echo) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with TcpProxy([nobody.getsockname(), echo.address]) as proxy, connect(proxy) as connection:
            assert ask(connection) == b"hello"


def test_it_can_be_aimed_at_another_target(echo: Echo) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with TcpProxy([nobody.getsockname()]) as proxy:
            host, port = echo.address
            proxy.aim_at(f"tcp://{host}:{port}")
            with connect(proxy) as connection:
                assert ask(connection) == b"hello"


def test_a_caller_sees_a_reset_when_no_target_answers() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with TcpProxy([nobody.getsockname()]) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as caller:
            caller.recv(1)


async def test_it_goes_on_while_its_user_does_not(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    await writer.drain()

    wait_for(lambda: proxy.counts.passed_bytes == 10)  # blocks the event loop of the test

    assert await reader.read(5) == b"hello"
    writer.close()
    await writer.wait_closed()


def test_counts_can_be_compared_with_earlier_ones() -> None:
    assert Counts(accepted=3, broken=2).since(Counts(accepted=1)) == Counts(accepted=2, broken=2)
