"""Every setting of every process, in one place. Each is an environment variable with a default.

Names start with `VIBES_PIPELINE_`, but for the conventional `DATABASE_URL` and `AMQP_URL`. The README's reference
table is made from this file (a test keeps the two equal).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.addresses import amqp_address, postgres_address
from runtime.secrets import secrets_from_files
from runtime.tls import check_ca_file
from schemas.errors import ConfigurationError
from schemas.topology import Topology

PREFIX = "VIBES_PIPELINE_"
DEADLINE_CEILING_SECONDS = 1.9
"""Vibes' only published timeout is 2 seconds; an answer needs a little time to travel."""

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """The settings of one process. Read with `load_settings`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(
        SecretStr("postgresql://localhost:5432/vibes"),
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 to 18, as a connection URL; or `DATABASE_URL_FILE`, a file that holds it. On "
        "another host its certificate is verified (`sslmode=verify-full`) unless the URL says otherwise.",
        examples=["postgresql://user:password@db.example:5432/vibes"],
    )
    database_ca_file: Path | None = Field(
        None,
        description="Certificates of the CAs that PostgreSQL's certificate is verified with; the system's if not set.",
        examples=["/etc/vibes-pipeline/ca.pem"],
    )
    amqp_url: SecretStr = Field(
        SecretStr("amqp://localhost:5672/"),
        validation_alias="AMQP_URL",
        description="RabbitMQ 3.10 or later, as a connection URL; or `AMQP_URL_FILE`, a file that holds it. `amqps://` "
        "is encrypted, and the certificate verified.",
        examples=["amqps://user:password@mq.example:5671/"],
    )
    amqp_ca_file: Path | None = Field(
        None,
        description="Certificates of the CAs that RabbitMQ's certificate is verified with; the system's if not set.",
        examples=["/etc/vibes-pipeline/ca.pem"],
    )
    companies_file: Path = Field(
        Path("/etc/vibes-pipeline/companies.toml"),
        description="The companies: keys, regions, endpoints, API credentials.",
        examples=["/etc/vibes-pipeline/companies.toml"],
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least severe log line to write.", examples=["INFO"]
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="`json`: one object a line; `console`: for people; `auto`: console on a terminal, else json.",
        examples=["json"],
    )
    admin_host: str = Field(
        "127.0.0.1",
        description="Where each process serves /healthz, /readyz and /metrics. Nothing there is protected.",
        examples=["0.0.0.0"],  # noqa: S104 - an example of what a container sets
    )
    drain_seconds: float = Field(
        25.0,
        gt=0,
        le=600,
        description="After SIGTERM: the longest a process takes to finish what it has begun.",
        examples=["25"],
    )

    queue_prefix: str = Field(
        "vibes",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Start of every exchange's and queue's name; installations that share a broker need their own.",
        examples=["vibes"],
    )
    apply_queues: int = Field(
        1,
        ge=1,
        le=64,
        description="Number of queues the callbacks are spread over (over the leaders of a RabbitMQ cluster).",
        examples=["3"],
    )
    amqp_heartbeat_seconds: int = Field(
        10,
        ge=2,
        le=300,
        description="A broker connection silent for about three times this long is given up.",
        examples=["10"],
    )

    ingest_host: str = Field(
        "0.0.0.0",  # noqa: S104 - the one listener that has to be reachable
        description="Address of the callback listener.",
        examples=["0.0.0.0"],  # noqa: S104
    )
    ingest_port: Port = Field(8080, description="Port of the callback listener; 0 takes a free one.", examples=["8080"])
    ingest_admin_port: Port = Field(9100, description="Admin port of ingest.", examples=["9100"])
    ingest_tls_certificate_file: Path | None = Field(
        None,
        description="Certificate of the callback listener and those of the CAs between it and the root, PEM. With it, "
        "the listener speaks HTTPS only. Read again when it changes.",
        examples=["/etc/vibes-pipeline/tls/tls.crt"],
    )
    ingest_tls_key_file: Path | None = Field(
        None,
        description="Its key, PEM, without a password, if not in the same file. Read again when it changes.",
        examples=["/etc/vibes-pipeline/tls/tls.key"],
    )
    ingest_tls_client_ca_file: Path | None = Field(
        None,
        description="Certificates of CAs: whoever calls has to show a certificate that one of them signed.",
        examples=["/etc/vibes-pipeline/tls/clients.pem"],
    )
    ingest_tls_client_names: str | None = Field(
        None,
        pattern=r"^[^\s,]+(,[^\s,]+)*$",
        description="Names, separated by commas, one of which the caller's certificate has to be for.",
        examples=["catapult-app.vibescm.com"],
    )
    ingest_deadline_seconds: float = Field(
        1.5,
        ge=0.1,
        le=DEADLINE_CEILING_SECONDS,
        description="Every answer is out within this time; Vibes' published ceiling is 2 seconds.",
        examples=["1.5"],
    )
    ingest_max_body_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=8 * 1024 * 1024,
        description="A larger body is answered 413.",
        examples=["1048576"],
    )
    ingest_trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Number of proxies of yours in front of ingest, each of which appends to X-Forwarded-For. "
        "0 ignores the header.",
        examples=["1"],
    )
    ingest_max_connections: int = Field(
        10_000,
        ge=10,
        description="Open connections of one process, as far as its limit on open files allows; above it idle ones "
        "make room.",
        examples=["10000"],
    )
    ingest_max_pending_callbacks: int = Field(
        10_000,
        ge=1,
        description="Callbacks waiting for the broker's confirm; above it 503.",
        examples=["10000"],
    )
    ingest_max_pending_bytes: int = Field(
        128 * 1024 * 1024,
        ge=1024,
        description="Bytes of bodies waiting likewise; above it 503.",
        examples=["134217728"],
    )
    ingest_group_max_callbacks: int = Field(
        200, ge=1, le=10_000, description="Most callbacks in one broker message.", examples=["200"]
    )
    ingest_group_max_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        description="Most bytes of bodies in one broker message (one larger body goes alone).",
        examples=["1048576"],
    )
    ingest_publishes_in_flight: int = Field(
        4,
        ge=1,
        le=200,
        description="Unconfirmed groups at a time; what arrives meanwhile forms the next groups.",
        examples=["4"],
    )
    ingest_crm_max_body_bytes: int = Field(
        16 * 1024 * 1024,
        ge=64 * 1024,
        le=256 * 1024 * 1024,
        description="A larger body of `POST /crm/persons`, or one that unpacks to more, is answered 413.",
        examples=["16777216"],
    )
    ingest_crm_deadline_seconds: float = Field(
        30.0,
        ge=1,
        le=600,
        description="Every answer to the CRM is out within this time.",
        examples=["30"],
    )

    apply_admin_port: Port = Field(9200, description="Admin port of an apply worker.", examples=["9200"])
    apply_batch_callbacks: int = Field(
        500,
        ge=1,
        le=10_000,
        description="Callbacks, or changes of the CRM, that close a batch (one transaction).",
        examples=["500"],
    )
    apply_batch_bytes: int = Field(
        16 * 1024 * 1024, ge=1024, description="Bytes of bodies that close a batch.", examples=["16777216"]
    )
    apply_batch_wait_seconds: float = Field(
        0.02,
        ge=0,
        le=10,
        description="How long a batch waits for more after its first message.",
        examples=["0.02"],
    )
    apply_prefetch_messages: int = Field(
        200,
        ge=1,
        le=2000,
        description="Broker messages an apply worker holds unacknowledged.",
        examples=["200"],
    )

    apply_storm_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="If more than this of the last callbacks would become dead letters through a fault of ours, the "
        "worker takes no more. 1: never.",
        examples=["0.2"],
    )
    apply_storm_min_callbacks: int = Field(50, ge=1, description="Fewer than this make no such storm.", examples=["50"])
    apply_storm_window_callbacks: int = Field(
        1000, ge=1, le=1_000_000, description="How many the last callbacks are.", examples=["1000"]
    )
    apply_storm_trial_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="How often a worker tries whether such a storm is over.",
        examples=["60"],
    )

    person_sync_admin_port: Port = Field(9300, description="Admin port of a person worker.", examples=["9300"])
    person_sync_concurrency: int = Field(
        20, ge=1, le=500, description="Persons one person worker deals with at a time.", examples=["20"]
    )
    person_sync_sweep_seconds: float = Field(
        1.0,
        ge=0.1,
        le=3600,
        description="How often syncs that are due but not under way are looked for and put on the queue.",
        examples=["1"],
    )
    person_api_timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="Longest wait for one answer of the Person API.", examples=["10"]
    )
    person_api_attempts: int = Field(
        4, ge=1, le=20, description="Tries of one call before the sync is put off.", examples=["4"]
    )
    person_api_retry_seconds: float = Field(
        30.0, gt=0, le=600, description="Most time all tries of one call take together.", examples=["30"]
    )

    keep_bodies_days: int | None = Field(
        None,
        ge=31,
        description="`maintain` removes bodies from the log, outcomes and settled dead letters when their whole month "
        "is older; opt-ins, opt-outs and what current state is made of stay. Not set: never.",
        examples=["400"],
    )
    keep_evidence_days: int | None = Field(
        None,
        ge=31,
        description="`maintain` drops what is left of a month of the log when all of it is older. Not set: never.",
        examples=["2200"],
    )
    keep_ledger_days: int | None = Field(
        None,
        ge=31,
        description="`maintain` forgets dedupe keys that are older: an event delivered again after that is logged "
        "again. Not set: never.",
        examples=["400"],
    )
    keep_api_calls_days: int | None = Field(
        None,
        ge=31,
        description="`maintain` drops a month of the record of Person API calls when all of it is older. Not set: "
        "never.",
        examples=["400"],
    )

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        for needs, needed in (
            ("ingest_tls_key_file", "ingest_tls_certificate_file"),
            ("ingest_tls_client_ca_file", "ingest_tls_certificate_file"),
            ("ingest_tls_client_names", "ingest_tls_client_ca_file"),
        ):
            if getattr(self, needs) is not None and getattr(self, needed) is None:
                raise ValueError(f"{PREFIX}{needs.upper()} has no effect without {PREFIX}{needed.upper()}")
        return self

    @property
    def topology(self) -> Topology:
        """What this installation has in the broker."""
        return Topology(prefix=self.queue_prefix, apply_queues=self.apply_queues)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` (by field name) win, as command-line options do.

    Raises ConfigurationError naming every wrong variable, what is wrong with it and an example. A variable that starts
    with the prefix but is no setting is wrong too: a misspelt name must not be ignored silently.

    A secret `NAME` may be in a file that `NAME_FILE` names. The two URLs say afterwards how their connection is
    protected (see runtime.addresses).
    """
    names = environment_names()
    problems = [
        f"{name}: no such setting{_did_you_mean(name)}"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in names
    ]
    settings = None
    try:
        in_files = {names[name]: each for name, each in secrets_from_files(_secret_names(), os.environ).items()}
        settings = _with_addresses(Settings(**{**in_files, **overrides}))
    except ValidationError as error:
        problems += [_describe(str((*e["loc"], "")[0]), e["msg"]) for e in error.errors(include_input=False)]
    except ConfigurationError as error:
        problems.append(str(error))
    if problems or settings is None:
        raise ConfigurationError("\n".join(problems))
    return settings


def _with_addresses(settings: Settings) -> Settings:
    """Return the settings with URLs that tell all about their connection. Raises ConfigurationError."""
    with _naming(f"{PREFIX}DATABASE_CA_FILE"):
        database_ca = settings.database_ca_file and check_ca_file(settings.database_ca_file)
    with _naming(f"{PREFIX}AMQP_CA_FILE"):
        amqp_ca = settings.amqp_ca_file and check_ca_file(settings.amqp_ca_file)
    with _naming("DATABASE_URL"):
        database_url = postgres_address(settings.database_url.get_secret_value(), database_ca, os.environ)
    with _naming("AMQP_URL"):
        amqp_url = amqp_address(settings.amqp_url.get_secret_value(), amqp_ca)
    return settings.model_copy(update={"database_url": SecretStr(database_url), "amqp_url": SecretStr(amqp_url)})


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}: {error}") from error


def _secret_names() -> Iterator[str]:
    return (name for name, field in environment_names().items() if Settings.model_fields[field].annotation is SecretStr)


def environment_names() -> dict[str, str]:
    """Return the environment variable of each setting, mapped to its field."""
    return {
        str(info.validation_alias) if info.validation_alias else f"{PREFIX}{field.upper()}": field
        for field, info in Settings.model_fields.items()
    }


def _did_you_mean(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, environment_names(), n=1)
    return f"; did you mean {close[0]}?" if close else "; the README lists them all"


def _describe(where: str, problem: str) -> str:
    if not where:
        return problem.removeprefix("Value error, ")
    names = environment_names()
    by_field = {field: name for name, field in names.items()}
    name = where if where in names else by_field.get(where, where)
    field = names.get(name, where)
    info = Settings.model_fields.get(field)
    example = f" Example: {name}={info.examples[0]}" if info and info.examples else ""
    return f"{name}: {problem}.{example}"
