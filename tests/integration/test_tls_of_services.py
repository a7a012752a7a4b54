"""TLS to PostgreSQL and RabbitMQ: real services, certificates that are right, and every kind that is not."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from deploy.local.workspace import Workspace
from tests.support.certificates import LONG_AGO, Files, SystemPostgres, TlsRabbitMQ, postgres_with_tls, system_postgres
from tests.support.commands import vibes_pipeline
from tests.support.pipeline import environment_for, part

CA, ANOTHER_CA = trustme.CA(), trustme.CA()
HERE = ("localhost", "127.0.0.1")
WRONG = {
    "of another CA": (ANOTHER_CA, ANOTHER_CA.issue_cert(*HERE), r"self.signed certificate|unable to get local issuer"),
    "for another host": (CA, CA.issue_cert("elsewhere.example"), "localhost"),
    "expired": (CA, CA.issue_cert(*HERE, not_before=LONG_AGO[0], not_after=LONG_AGO[1]), "certificate has expired"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    out: str
    errors: str


@pytest.fixture
def shown(tmp_path: Path) -> Files:
    """The certificate PostgreSQL shows."""
    return Files(tmp_path).write(CA, CA.issue_cert(*HERE))


@pytest.fixture(scope="module")
def shown_by_broker(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The certificate RabbitMQ shows."""
    return Files(tmp_path_factory.mktemp("broker")).write(CA, CA.issue_cert(*HERE))


@pytest.fixture(scope="module")
def broker(shown_by_broker: Files) -> Iterator[TlsRabbitMQ]:
    with Workspace() as workspace:
        server = TlsRabbitMQ(workspace, shown_by_broker)
        server.start()
        yield server


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """The CA we trust."""
    path = tmp_path / "trusted.pem"
    path.write_bytes(CA.cert_pem.bytes())
    return path


async def run(*arguments: str, **environment: object) -> Outcome:
    """Run a command of the pipeline."""
    process = await asyncio.create_subprocess_exec(
        *vibes_pipeline(),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
    )
    out, errors = await process.communicate()
    return Outcome(process.returncode or 0, out.decode(), errors.decode())


# PostgreSQL


async def test_a_certificate_of_the_given_ca_is_accepted(database_url: str, shown: Files, ca_file: Path) -> None:
    async with postgres_with_tls(database_url, shown) as url:
        outcome = await run("migrate", DATABASE_URL=url, VIBES_PIPELINE_DATABASE_CA_FILE=ca_file)
    assert outcome == Outcome(0, "the database is up to date\n", "")


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_certificate_of_the_database_is_refused_in_one_line(
    database_url: str, shown: Files, ca_file: Path, kind: str
) -> None:
    ca, leaf, complaint = WRONG[kind]
    shown.write(ca, leaf)
    async with postgres_with_tls(database_url, shown) as url:
        outcome = await run("migrate", DATABASE_URL=url, VIBES_PIPELINE_DATABASE_CA_FILE=ca_file)
    assert outcome.code == 1
    assert outcome.errors.startswith("vibes-pipeline: DATABASE_URL: ")
    assert "the server's certificate is refused: " in outcome.errors
    assert re.search(complaint, outcome.errors)
    assert outcome.errors.count("\n") == 1


async def test_without_a_ca_of_ours_the_systems_are_trusted_and_no_other(database_url: str, shown: Files) -> None:
    async with postgres_with_tls(database_url, shown) as url:
        outcome = await run("migrate", DATABASE_URL=f"{url}?sslmode=verify-full")
    assert (outcome.code, outcome.errors.count("\n")) == (1, 1)
    assert "the server's certificate is refused" in outcome.errors

    # As SSL_CERT_FILE tells OpenSSL which CAs the system has.
    async with postgres_with_tls(database_url, shown) as url:
        outcome = await run("migrate", DATABASE_URL=f"{url}?sslmode=verify-full", SSL_CERT_FILE=shown.ca)
    assert outcome.code == 0, outcome.errors


async def test_a_database_without_tls_is_refused_where_tls_is_wanted(database_url: str, ca_file: Path) -> None:
    async with postgres_with_tls(database_url, None) as url:
        outcome = await run("migrate", DATABASE_URL=url, VIBES_PIPELINE_DATABASE_CA_FILE=ca_file)
    assert (outcome.code, outcome.errors.count("\n")) == (1, 1)
    assert "rejected SSL upgrade" in outcome.errors


async def test_a_worker_says_why_and_carries_on_once_the_certificate_is_right(
    tmp_path: Path, database_url: str, amqp_url: str, shown: Files, ca_file: Path
) -> None:
    ca, leaf, _ = WRONG["expired"]
    shown.write(ca, leaf)
    async with postgres_with_tls(database_url, shown) as url:
        environment = environment_for(tmp_path, url, amqp_url, database_ca_file=ca_file)
        async with part("apply", environment=environment) as worker:
            await worker.logged("apply.postgres_unavailable")
            told = worker.events("apply.postgres_unavailable")[0]
            assert told["detail"] == "the server's certificate is refused: certificate has expired"
            shown.write(CA, CA.issue_cert(*HERE))
            await worker.logged("apply.consuming")


async def test_a_server_that_wants_a_certificate_of_ours_gets_it(tmp_path: Path, shown: Files, ca_file: Path) -> None:
    programs = system_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL with TLS on this machine: apt-get install postgresql")
    with Workspace() as workspace:
        server = SystemPostgres(workspace, shown, programs)
        server.start()
        url = server.url.replace("127.0.0.1", "localhost")
        (tmp_path / "ours").mkdir()
        ours = Files(tmp_path / "ours").write(CA, CA.issue_cert("vibes"))
        settings = {"VIBES_PIPELINE_DATABASE_CA_FILE": ca_file}
        pair = f"sslcert={ours.certificate}&sslkey={ours.key}"

        accepted = await run("migrate", DATABASE_URL=f"{url}?{pair}", **settings)
        of_system = await run("migrate", DATABASE_URL=f"{url}?sslmode=verify-full&{pair}", SSL_CERT_FILE=ca_file)
        without_ours = await run("migrate", DATABASE_URL=url, **settings)
        not_verified = await run("migrate", DATABASE_URL=f"{url}?sslmode=verify-full&{pair}")
        without_tls = await run("migrate", DATABASE_URL=f"{url}?sslmode=disable")

    assert accepted.code == 0, accepted.errors
    assert of_system.code == 0, of_system.errors
    for refused, complaint in (
        (without_ours, "certificate"),
        (not_verified, "the server's certificate is refused"),
        (without_tls, "no encryption"),
    ):
        assert (refused.code, refused.errors.count("\n")) == (1, 1), refused
        assert complaint in refused.errors


# RabbitMQ


async def test_the_broker_is_spoken_to_with_tls(broker: TlsRabbitMQ, shown_by_broker: Files, ca_file: Path) -> None:
    shown_by_broker.write(CA, CA.issue_cert(*HERE))
    broker.read_certificate_again()

    outcome = await run("declare", AMQP_URL=broker.tls_url, VIBES_PIPELINE_AMQP_CA_FILE=ca_file)
    assert outcome == Outcome(0, "the broker has every exchange and queue\n", "")

    # And with a certificate of its own, named in the URL.
    client = Files(ca_file.parent).write(CA, CA.issue_cert("ingest.example"))
    url = f"{broker.tls_url}?certfile={client.certificate}&keyfile={client.key}"
    outcome = await run("declare", AMQP_URL=url, VIBES_PIPELINE_AMQP_CA_FILE=ca_file)
    assert outcome.code == 0, outcome.errors


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_certificate_of_the_broker_is_refused_in_one_line(
    broker: TlsRabbitMQ, shown_by_broker: Files, ca_file: Path, kind: str
) -> None:
    ca, leaf, complaint = WRONG[kind]
    shown_by_broker.write(ca, leaf)
    broker.read_certificate_again()

    outcome = await run("declare", AMQP_URL=broker.tls_url, VIBES_PIPELINE_AMQP_CA_FILE=ca_file)

    assert outcome.code == 1
    assert outcome.errors.startswith("vibes-pipeline: AMQP_URL: ")
    assert "the server's certificate is refused: " in outcome.errors
    assert re.search(complaint, outcome.errors)
    assert outcome.errors.count("\n") == 1


async def test_ingest_says_why_it_does_not_publish(
    tmp_path: Path, broker: TlsRabbitMQ, shown_by_broker: Files, ca_file: Path
) -> None:
    ca, leaf, complaint = WRONG["for another host"]
    shown_by_broker.write(ca, leaf)
    broker.read_certificate_again()
    environment = environment_for(tmp_path, "postgresql://127.0.0.1:9/none", broker.tls_url, amqp_ca_file=ca_file)
    async with part("ingest", environment={**environment, "VIBES_PIPELINE_INGEST_PORT": "0"}) as ingest:
        await ingest.logged("broker.disconnected")
        told = ingest.events("broker.disconnected")[0]
        assert "the server's certificate is refused: " in told["detail"]
        assert complaint in told["detail"]
        assert "traceback" not in json.dumps(ingest.log).lower()


async def test_a_ca_file_beside_a_url_without_encryption_is_a_mistake(ca_file: Path) -> None:
    outcome = await run("declare", AMQP_URL="amqp://localhost/", VIBES_PIPELINE_AMQP_CA_FILE=ca_file)
    assert outcome.code == 2
    assert "begin with amqps://" in outcome.errors


async def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for path, problem in ((tmp_path / "empty.pem", "no certificate"), (tmp_path / "missing.pem", "cannot be read")):
        outcome = await run("declare", VIBES_PIPELINE_AMQP_CA_FILE=path)
        assert (outcome.code, outcome.errors.count("\n")) == (2, 1)
        assert f"VIBES_PIPELINE_AMQP_CA_FILE: {path}" in outcome.errors
        assert problem in outcome.errors


# The Person API


def company(directory: Path, base_url: str, **more: object) -> Path:
    """Write a companies file."""
    password = directory / "password"
    password.write_text("wrong-horse")
    settings = {"api_base_url": base_url, "api_username": "u@example.com", "api_password_file": password, **more}
    path = directory / "companies.toml"
    lines = "".join(f'{name} = "{value}"\n' for name, value in settings.items())
    endpoints = f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
    path.write_text(f'[[companies]]\ncompany_key = "acme"\nregion = "US"\n{lines}{endpoints}')
    return path


@asynccontextmanager
async def vibes_with_tls(shown: Files) -> AsyncIterator[str]:
    """Stand in for Vibes at an https address; every list is empty."""

    async def nothing(_request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response([])

    runner = web.ServerRunner(web.Server(nothing))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=shown.server_context())
    await site.start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_person_api_is_verified(tmp_path: Path, shown: Files, ca_file: Path) -> None:
    async with vibes_with_tls(shown) as url:
        trusting = company(tmp_path, url, api_ca_file=ca_file)
        outcome = await run("callbacks", "list", VIBES_PIPELINE_COMPANIES_FILE=trusting)
        assert outcome.code == 0, outcome.errors

        usual = company(tmp_path, url)
        outcome = await run("callbacks", "list", VIBES_PIPELINE_COMPANIES_FILE=usual)
        assert (outcome.code, outcome.errors.count("\n")) == (1, 1)
        assert "certificate" in outcome.errors


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_certificate_of_the_person_api_is_refused_in_one_line(
    tmp_path: Path, shown: Files, ca_file: Path, kind: str
) -> None:
    ca, leaf, complaint = WRONG[kind]
    shown.write(ca, leaf)
    async with vibes_with_tls(shown) as url:
        path = company(tmp_path, url, api_ca_file=ca_file)
        outcome = await run("callbacks", "list", VIBES_PIPELINE_COMPANIES_FILE=path)
    assert (outcome.code, outcome.errors.count("\n")) == (1, 1)
    assert re.search(complaint, outcome.errors), outcome.errors
    assert "wrong-horse" not in outcome.errors


async def test_the_api_password_is_not_sent_in_clear_over_a_network(tmp_path: Path) -> None:
    path = company(tmp_path, "http://public-api.vibescm.com")
    outcome = await run("callbacks", "list", VIBES_PIPELINE_COMPANIES_FILE=path)
    assert outcome.code == 2
    assert "http:// would send the password in clear" in outcome.errors
