"""HTTPS at the callback listener: its certificate, renewed under load, and the certificates of callers."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from ingest.certificate import names_in
from tests.support.certificates import Files
from tests.support.ingest import KEY, VIBES, Ingest, eventually, ingest_process

CA, CLIENTS, STRANGERS = trustme.CA(), trustme.CA(), trustme.CA()
LATER = datetime(2040, 1, 1, tzinfo=UTC)
ENDS = 'vibes_tls_certificate_expiry_timestamp_seconds{file_of="ingest"}'
VIBES_NAME = "catapult-app.vibescm.com"
COMPANIES_EXAMPLE = Path(__file__).parents[2] / "deploy" / "companies.example.toml"


@pytest.fixture
def shown(tmp_path: Path) -> Files:
    """What ingest shows."""
    return Files(tmp_path).write(CA, CA.issue_cert("127.0.0.1"))


@pytest.fixture
def client_ca(tmp_path: Path) -> Path:
    path = tmp_path / "clients.pem"
    path.write_bytes(CLIENTS.cert_pem.bytes())
    return path


@asynccontextmanager
async def https(amqp_url: str, shown: Files, **settings: Any) -> AsyncIterator[Ingest]:
    settings = {"ingest_tls_certificate_file": shown.certificate, "ingest_tls_key_file": shown.key, **settings}
    async with ingest_process(amqp_url, **settings) as ingest:
        ingest.url = ingest.url.replace("http:", "https:")
        yield ingest


def caller(certificate: trustme.LeafCert | None = None, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    """Return a session that calls from an address of Vibes, and trusts our CA."""
    context = ssl.create_default_context()
    CA.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    connector = aiohttp.TCPConnector(local_addr=(VIBES, 0), ssl=context, limit=0)
    return aiohttp.ClientSession(connector=connector, trace_configs=list(traces))


async def call(session: aiohttp.ClientSession, ingest: Ingest, **options: Any) -> aiohttp.ClientResponse:
    async with session.post(ingest.callback_url(KEY), data=b"{}", **options) as response:
        await response.read()
        return response


async def test_callbacks_come_by_https_and_nothing_by_http(amqp_url: str, shown: Files) -> None:
    async with https(amqp_url, shown) as ingest, caller() as session:
        assert (await call(session, ingest)).status == 202
        with pytest.raises(aiohttp.ClientError):
            await session.post(ingest.callback_url(KEY).replace("https:", "http:"), data=b"{}")


async def test_a_renewed_certificate_is_shown_and_no_open_connection_is_lost(amqp_url: str, shown: Files) -> None:
    opened: list[float] = []

    async def note_connection(*_details: object) -> None:
        opened.append(asyncio.get_running_loop().time())

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(note_connection)
    async with https(amqp_url, shown) as ingest, caller(None, trace) as steady:
        answers: list[int] = []

        async def keep_calling() -> None:
            while True:
                answers.append((await call(steady, ingest)).status)
                await asyncio.sleep(0.01)

        calling = asyncio.create_task(keep_calling())
        before = await serial(ingest)
        # First the certificate without its key: a moment there is with every tool that renews.
        renewed = CA.issue_cert("127.0.0.1", not_after=LATER)
        shown.certificate.write_bytes(renewed.cert_chain_pems[0].bytes())
        await eventually(lambda: logged(ingest, "ingest.certificate_kept"), "the half-written pair is noticed")
        assert await serial(ingest) == before
        assert (await ingest.metrics())[ENDS] != LATER.timestamp()
        shown.key.write_bytes(renewed.private_key_pem.bytes())
        await eventually(lambda: logged(ingest, "ingest.certificate_renewed"), "the pair is taken")
        assert await serial(ingest) != before
        assert (await ingest.metrics())[ENDS] == LATER.timestamp()

        count = len(answers)
        await eventually(lambda: len(answers) > count + 5, "the old connection goes on")
        calling.cancel()
        assert set(answers) == {202}
        assert len(opened) == 1


async def serial(ingest: Ingest) -> str:
    """Return the serial number of the certificate a new connection is shown."""
    context = ssl.create_default_context()
    CA.configure_trust(context)
    _, writer = await asyncio.open_connection("127.0.0.1", ingest.port, ssl=context)
    found = str(writer.get_extra_info("peercert")["serialNumber"])
    writer.close()
    await writer.wait_closed()
    return found


def logged(ingest: Ingest, event: str) -> bool:
    return any(line["event"] == event for line in ingest.log)


async def test_a_caller_without_a_certificate_of_the_clients_ca_gets_no_word_in(
    amqp_url: str, shown: Files, client_ca: Path
) -> None:
    async with https(amqp_url, shown, ingest_tls_client_ca_file=client_ca) as ingest:
        async with caller(CLIENTS.issue_cert("anything.example")) as session:
            assert (await call(session, ingest)).status == 202
        for certificate in (None, STRANGERS.issue_cert(VIBES_NAME)):
            async with caller(certificate) as session:
                with pytest.raises((aiohttp.ClientError, OSError)):
                    await call(session, ingest)


async def test_a_certificate_for_another_name_is_turned_away_without_an_answer(
    amqp_url: str, shown: Files, client_ca: Path
) -> None:
    names = f"crm.example,{VIBES_NAME}"
    async with https(amqp_url, shown, ingest_tls_client_ca_file=client_ca, ingest_tls_client_names=names) as ingest:
        # Vibes documents a common name; the CRM of this test has an alternative name only.
        for certificate in (CLIENTS.issue_cert(common_name=VIBES_NAME), CLIENTS.issue_cert("crm.example")):
            async with caller(certificate) as session:
                assert (await call(session, ingest)).status == 202
        async with caller(CLIENTS.issue_cert("somebody.example")) as session:
            with pytest.raises((aiohttp.ClientError, OSError)):
                await call(session, ingest)
        await eventually(lambda: logged(ingest, "ingest.caller_refused"), "the refusal is told")
        assert (await ingest.metrics())["vibes_ingest_callers_refused_total"] == 1


async def test_a_certificate_that_cannot_be_used_ends_the_start(amqp_url: str, shown: Files) -> None:
    shown.key.write_text("none")
    process = await asyncio.create_subprocess_exec(
        *("env", "VIBES_PIPELINE_INGEST_PORT=0", "VIBES_PIPELINE_INGEST_ADMIN_PORT=0"),
        f"VIBES_PIPELINE_INGEST_TLS_CERTIFICATE_FILE={shown.certificate}",
        f"VIBES_PIPELINE_INGEST_TLS_KEY_FILE={shown.key}",
        f"VIBES_PIPELINE_COMPANIES_FILE={COMPANIES_EXAMPLE}",
        *(sys.executable, "-m", "cli", "ingest"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert f"{shown.certificate} and {shown.key} are no certificate and its key" in errors.decode()


def test_the_names_of_a_certificate_are_its_common_name_and_its_dns_names() -> None:
    certificate = {
        "subject": ((("organizationName", "Vibes"),), (("commonName", "Catapult-App.vibescm.com"),)),
        "subjectAltName": (("DNS", "a.example"), ("IP Address", "192.0.2.1"), ("email", "a@b.example")),
    }
    assert names_in(certificate) == {"catapult-app.vibescm.com", "a.example"}
    assert names_in({}) == frozenset()
