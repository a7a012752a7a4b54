"""The client among tasks, limiters, sessions and certificates, and the example of its README."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from aiolimiter import AsyncLimiter

import vibes_api
from tests.integration.vibes_api.scripted import (
    PATCH,
    PERSON,
    Vibes,
    Watch,
    reply,
)
from vibes_api import (
    Conflict,
    ConnectionFailed,
    RetryPolicy,
    VibesClient,
)


async def test_a_cancelled_call_ends_and_is_observed(client: VibesClient, vibes: Vibes, watch: Watch) -> None:
    arrived = asyncio.Event()

    async def announce_and_hang(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        return await vibes.hang(request)

    vibes.script = [announce_and_hang]
    call = asyncio.create_task(client.persons.get("k-1"))
    await arrived.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert watch.outcomes == [(None, "interrupted")]


async def test_calls_that_share_a_client_count_their_attempts_apart(
    client: VibesClient, vibes: Vibes, watch: Watch
) -> None:
    failing = set()

    async def fail_each_path_once(request: web.BaseRequest) -> web.StreamResponse:
        first = request.path not in failing
        failing.add(request.path)
        return await reply(503 if first else 200, PERSON)(request)

    vibes.script = [fail_each_path_once]

    await asyncio.gather(*(client.persons.get(f"p{number}") for number in range(20)))

    assert sorted(call.attempt for call in watch.calls) == [1] * 20 + [2] * 20


async def test_aiolimiter_fits_as_it_is(vibes: Vibes, watch: Watch) -> None:
    vibes.script = [reply(503), reply(200, PERSON)]
    limiter = AsyncLimiter(1, time_period=0.2)
    retry = RetryPolicy(sleep=watch.sleep)
    loop = asyncio.get_running_loop()

    async with VibesClient(vibes.url, "c", "u", "p", limiter=limiter, retry=retry) as client:
        began = loop.time()
        await client.persons.get("k-1")

    assert loop.time() - began > 0.15  # the second attempt had to wait for the bucket


async def test_a_session_of_the_caller_stays_open_and_its_settings_change_no_outcome(vibes: Vibes) -> None:
    vibes.script = [reply(409)]

    async with aiohttp.ClientSession(raise_for_status=True, headers={"X-API-Version": "1"}) as session:
        async with VibesClient(vibes.url, "c", "u", "p", session=session) as client:
            with pytest.raises(Conflict):
                await client.persons.add(PATCH)
        assert not session.closed

    assert vibes.seen[0].headers["X-API-Version"] == "2"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 and its key: server, client and authority in one."""
    if shutil.which("openssl") is None:
        pytest.skip("Python cannot make certificates by itself and the openssl command is missing")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    owner = ["-subj", "/CN=vibes", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *kind, *owner, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


async def test_a_client_certificate_is_presented(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    demanding = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(cert))
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_cert_chain(cert, key)
    stranger = ssl.create_default_context(cafile=str(cert))
    known = ssl.create_default_context(cafile=str(cert))
    known.load_cert_chain(cert, key)
    retry = RetryPolicy(attempts=1)

    server = RawTestServer(reply(200, PERSON), scheme="https")
    await server.start_server(ssl=demanding)
    try:
        url = str(server.make_url("/"))
        async with VibesClient(url, "c", "u", "p", ssl_context=known, retry=retry) as client:
            assert (await client.persons.get("k-1")).person_key == "k-1"
        async with VibesClient(url, "c", "u", "p", ssl_context=stranger, retry=retry) as client:
            with pytest.raises(ConnectionFailed):
                await client.persons.get("k-1")
    finally:
        await server.close()


async def test_the_example_of_the_readme_runs_as_printed(vibes: Vibes, tmp_path: Path) -> None:
    readme = Path(vibes_api.__file__).with_name("README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example)
    vibes.script = [reply(404), reply(201, PERSON)]
    credentials = {"VIBES_COMPANY_KEY": "c", "VIBES_USERNAME": "u", "VIBES_PASSWORD": "p"}

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        env=os.environ | credentials | {"VIBES_URL": vibes.url, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0
    assert [request.method for request in vibes.seen] == ["PUT", "POST"]
    assert "agreed: Person(person_key='k-1'" in output.decode()
