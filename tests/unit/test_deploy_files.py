"""No container engine runs here, so docker-compose.yml and the Dockerfile are held against the code they start."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from cli.main import app
from cli.simulate import read_companies
from runtime.companies import Company, Endpoint, Sync, hash_endpoint_key, load_companies
from runtime.settings import PREFIX, Settings, environment_names

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PARTS = {"ingest": "ingest_admin_port", "apply": "apply_admin_port", "person-sync": "person_sync_admin_port"}
SCALED = ("apply", "person-sync")
OBSERVABILITY = ("prometheus", "grafana-login", "grafana")
LOOPBACK = "127.0.0.1"
CONFIGURATION = "/etc/vibes-pipeline"
VARIABLES = {"POSTGRES_PASSWORD": "pg", "RABBITMQ_PASSWORD": "mq", "CONFIG_DIR": "./deploy/compose/trial"}

FIXED_BY_THE_FILE = {
    "DATABASE_URL",
    "AMQP_URL",
    "VIBES_PIPELINE_COMPANIES_FILE",
    "VIBES_PIPELINE_ADMIN_HOST",
    "VIBES_PIPELINE_DRAIN_SECONDS",
    "VIBES_PIPELINE_INGEST_HOST",
    "VIBES_PIPELINE_INGEST_PORT",
    *(f"{PREFIX}{field.upper()}" for field in PARTS.values()),
}
"""Settings that have to fit the containers' ports, mounts and grace period, so they are not passed on."""


def default(field: str) -> Any:
    return Settings.model_fields[field].default


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", dockerfile)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
INSTRUCTIONS = instructions(DOCKERFILE)


def values(word: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == word]


def in_seconds(duration: str) -> int:
    assert duration.endswith("s")
    return int(duration.removesuffix("s"))


def healthcheck_url(service: dict[str, Any]) -> str:
    found = re.search(r"urlopen\('([^']+)'", service["healthcheck"]["test"][-1])
    assert found is not None
    return found[1]


def published(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Host address and container port of each published port."""
    return [
        (host, container)
        for host, _, container in (re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", port).split(":") for port in service["ports"])
    ]


# docker-compose.yml against the command line


@pytest.mark.parametrize("name", OURS)
def test_each_command_and_its_options_are_known_to_the_cli(name: str) -> None:
    command, *arguments = OURS[name]["command"]
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    assert command in group.commands
    group.commands[command].make_context(command, list(arguments))


def test_the_parts_of_the_pipeline_are_all_there() -> None:
    of_a_profile = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert set(SERVICES) - set(of_a_profile) == {"rabbitmq", "postgres", "migrate", *PARTS}
    assert of_a_profile == {
        "simulator": ["simulator"],
        "maintain": ["maintain"],
        **{name: ["observability"] for name in OBSERVABILITY},
    }


# docker-compose.yml against the settings


def test_every_setting_can_be_passed_on_or_is_fixed_by_the_file() -> None:
    assert set(COMPOSE["x-settings"]) | FIXED_BY_THE_FILE == set(environment_names())
    assert not set(COMPOSE["x-settings"]) & FIXED_BY_THE_FILE
    assert set(COMPOSE["x-settings"].values()) == {None}, "a value here would be a second default"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_with_our_prefix_is_a_setting(name: str) -> None:
    ours = {variable for variable in OURS[name]["environment"] if variable.startswith(PREFIX)}
    assert ours <= set(environment_names())


@pytest.mark.parametrize("name", ["migrate", "maintain", *PARTS])
def test_the_urls_lead_to_the_services_with_their_own_passwords(name: str) -> None:
    ours, postgres, rabbitmq = (SERVICES[service]["environment"] for service in (name, "postgres", "rabbitmq"))

    user, password, database = postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"], postgres["POSTGRES_DB"]
    wanted = f"postgresql://{user}:{password}@postgres:5432/{database}?sslmode=disable"
    # ingest takes callbacks from the Internet, and gets no way into the database.
    assert ours["DATABASE_URL"] == ("postgresql://127.0.0.1:1/none" if name == "ingest" else wanted)
    user, password = rabbitmq["RABBITMQ_DEFAULT_USER"], rabbitmq["RABBITMQ_DEFAULT_PASS"]
    assert ours["AMQP_URL"] == f"amqp://{user}:{password}@rabbitmq:5672/"


@pytest.mark.parametrize(("name", "field"), PARTS.items())
def test_a_part_is_healthy_when_its_admin_port_says_ready(name: str, field: str) -> None:
    assert healthcheck_url(SERVICES[name]) == f"http://{LOOPBACK}:{default(field)}/readyz"


def test_the_simulator_is_healthy_when_the_port_it_was_given_answers() -> None:
    command = SERVICES["simulator"]["command"]
    port = command[command.index("--port") + 1]
    assert healthcheck_url(SERVICES["simulator"]) == f"http://{LOOPBACK}:{port}/_simulator/companies"
    assert published(SERVICES["simulator"]) == [(LOOPBACK, port)]


def test_ingest_publishes_its_port_and_its_metrics() -> None:
    ports = {container for _, container in published(SERVICES["ingest"])}
    assert ports == {str(default("ingest_port")), str(default("ingest_admin_port"))}


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "ports" in service])
def test_unless_asked_for_nothing_is_reachable_from_other_machines(name: str) -> None:
    assert {host for host, _ in published(SERVICES[name])} == {LOOPBACK}


def test_the_grace_period_is_longer_than_the_drain() -> None:
    for service in OURS.values():
        assert in_seconds(service["stop_grace_period"]) >= default("drain_seconds") + 10


# docker-compose.yml in itself


@pytest.mark.parametrize("name", SCALED)
def test_parts_that_scale_have_nothing_there_can_be_only_one_of(name: str) -> None:
    assert not {"ports", "container_name", "hostname"} & set(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_waits_for_what_it_needs(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"] == "no"


def test_the_database_is_migrated_before_anything_writes_to_it() -> None:
    for name in SCALED:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "migrate" not in SERVICES["ingest"]["depends_on"], "ingest needs no database"


def test_what_is_to_run_daily_runs_once_as_the_owner_of_the_tables() -> None:
    daily = SERVICES["maintain"]
    assert daily["restart"] == "no"
    assert daily["environment"]["DATABASE_URL"] == SERVICES["migrate"]["environment"]["DATABASE_URL"]
    assert not {"ports", "container_name"} & set(daily)


@pytest.mark.parametrize("told_in", ["docker-compose.yml", "docs/retention.md", "docs/operations.md"])
def test_the_line_for_cron_starts_that_service_once_a_day(told_in: str) -> None:
    line = r"^[# ]*\d+ \d+ \* \* \* +cd \S+ && docker compose (run .*)$"
    (words,) = (found.split() for found in re.findall(line, (ROOT / told_in).read_text(), re.MULTILINE))
    assert words[-1] in SERVICES
    # cron has no terminal, and starts nothing that somebody has stopped.
    assert words == ["run", "--rm", "--no-deps", "-T", "maintain"]


def test_each_variable_is_explained_at_the_head_of_the_file() -> None:
    head, body = COMPOSE_TEXT.split("\n\n", 1)
    # With two dollars it is one of the container's.
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", body))
    required = set(re.findall(r"(?<!\$)\$\{(\w+):\?", body))
    explained = dict(re.findall(r"^# ([A-Z_]+[A-Z]) {2,}(\w+)", head, re.MULTILINE))

    assert set(explained) == used
    assert {name for name, first_word in explained.items() if first_word == "required"} == required == set(VARIABLES)


def test_no_password_is_in_the_file() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if "PASS" in variable:
                assert value.startswith("${")


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_little_beside_their_work(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service, "the image's user is not root"


def test_files_that_are_mounted_exist() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            if mount["type"] == "bind" and not mount["source"].startswith("$"):
                assert (ROOT / mount["source"]).exists()
                assert mount["read_only"] is True


def test_the_companies_file_is_looked_for_where_the_configuration_is_mounted() -> None:
    assert default("companies_file") == Path(CONFIGURATION, "companies.toml")
    for service in OURS.values():
        assert [mount["target"] for mount in service["volumes"]] == [CONFIGURATION]


def test_messages_and_rows_survive_the_containers() -> None:
    mounts = {
        mount["source"]: mount["target"]
        for service in SERVICES.values()
        for mount in service.get("volumes", [])
        if mount["type"] == "volume"
    }
    assert mounts == {
        "rabbitmq-data": "/var/lib/rabbitmq",
        "postgres-data": "/var/lib/postgresql",
        "prometheus-data": "/prometheus",
        "grafana-data": "/var/lib/grafana",
    }
    assert set(COMPOSE["volumes"]) == set(mounts)
    assert SERVICES["rabbitmq"]["hostname"], "RabbitMQ keeps its data under the host's name"
    assert {"-cfsync=on", "-cfull_page_writes=on", "-csynchronous_commit=on"} <= set(SERVICES["postgres"]["command"])


def test_compose_itself_accepts_the_file() -> None:
    compose = compose_command()
    if compose is None:
        pytest.skip("neither `docker compose` nor docker-compose is installed here")
    profiles = [word for name in ("simulator", "observability", "maintain") for word in ("--profile", name)]
    arguments = ["--file", str(ROOT / "docker-compose.yml"), *profiles, "config", "--quiet"]

    accepted = subprocess.run(
        [*compose, *arguments], env=os.environ | VARIABLES, capture_output=True, text=True, check=False
    )
    refused = subprocess.run(
        [*compose, *arguments],
        env={name: value for name, value in os.environ.items() if name not in VARIABLES},
        cwd="/",  # where no .env is
        capture_output=True,
        text=True,
        check=False,
    )

    assert accepted.returncode == 0, accepted.stderr
    assert refused.returncode != 0
    assert "see the head of docker-compose.yml" in refused.stderr


def compose_command() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        program = shutil.which(command[0])
        if program and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    return None


# deploy/Dockerfile


def test_the_image_starts_the_console_script() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert values("ENTRYPOINT") == ['["vibes-pipeline"]']
    assert "vibes-pipeline" in project["scripts"]
    assert values("STOPSIGNAL") == ["SIGTERM"]
    assert values("EXPOSE") == [str(default("ingest_port"))]


def test_the_image_does_not_run_as_root() -> None:
    (user,) = values("USER")
    uid, gid = user.split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert INSTRUCTIONS.index(("USER", user)) > INSTRUCTIONS.index(("FROM", "python:3.13-slim"))


def test_what_is_copied_exists_and_reaches_the_engine() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source.rstrip("/")
        for arguments in values("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists()
    assert set(copied) == let_through


def test_every_package_of_the_project_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"{package}/ ./{package}/" for package in packages} <= set(values("COPY"))


def test_only_locked_packages_get_into_the_build_and_no_registry_is_named() -> None:
    installs = [part for run in values("RUN") for part in run.split("&&") if " install " in part]
    locks = [install for install in installs if "--require-hashes" in install]
    assert [re.findall(r"\S+\.lock", install) for install in locks] == [
        ["requirements.lock"],
        ["deploy/build-requirements.lock"],
    ]
    assert all("--no-index" in install and "--no-deps" in install for install in installs if install not in locks)
    assert "://" not in DOCKERFILE
    assert "--index-url" not in DOCKERFILE


def test_the_build_backend_is_locked() -> None:
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    name = re.split(r"\W", backend)[0]
    assert f"\n{name}==" in (ROOT / "deploy" / "build-requirements.lock").read_text()


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    result = subprocess.run(
        [hadolint, "--no-color", ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")


# configuration files


def test_the_example_of_a_companies_file_loads_and_shows_every_setting() -> None:
    file = ROOT / "deploy" / "companies.example.toml"
    companies = load_companies(file).companies
    assert [company.region for company in companies] == ["US", "EU"]
    for model in (Company, Endpoint, Sync):
        for name in model.model_fields:
            assert name in file.read_text()


def test_the_two_sides_of_the_trial_fit_together() -> None:
    directory = ROOT / "deploy" / "compose" / "trial"
    (company,) = load_companies(directory / "companies.toml").companies
    (simulated,) = read_companies(directory / "simulator.toml")
    command = SERVICES["simulator"]["command"]

    assert company.company_key == simulated.company_key
    assert company.api_username == simulated.username
    assert company.api_password_file is not None
    assert company.api_password_file.parent == Path(CONFIGURATION)
    assert (directory / company.api_password_file.name).read_text().strip() == simulated.password
    assert company.base_url == f"http://simulator:{command[command.index('--port') + 1]}"
    assert command[command.index("--config") + 1] == f"{CONFIGURATION}/simulator.toml"
    assert all(network.is_private for network in company.extra_source_ranges)

    url, _, key = str(simulated.callback_url).rpartition("/")
    assert url == f"http://ingest:{default('ingest_port')}/callbacks"
    assert hash_endpoint_key(key) == company.endpoints[0].key_sha256


def test_the_licence_is_the_one_the_project_names() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    text = " ".join((ROOT / "LICENSE").read_text().split())
    assert text.startswith("Apache License Version 2.0, January 2004")
    assert "END OF TERMS AND CONDITIONS" in text
