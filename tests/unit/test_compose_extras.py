"""What docker-compose.yml starts beside the pipeline, and the cluster that may take its broker's place."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.settings import environment_names
from tests.unit.test_deploy_files import COMPOSE_TEXT, PARTS, ROOT, SERVICES, VARIABLES, compose_command, default

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
CLUSTER_TEXT = (ROOT / "docker-compose.cluster.yml").read_text()
CLUSTER: dict[str, Any] = yaml.safe_load(CLUSTER_TEXT)
NODES = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def mounted(service: str) -> dict[str, str]:
    """Where each path of this repository is in a container."""
    return {mount["target"]: mount["source"] for mount in SERVICES[service]["volumes"]}


# Prometheus and Grafana


def test_prometheus_scrapes_every_part_at_its_admin_port_by_the_name_of_its_service() -> None:
    scraped = {
        job["job_name"]: (place["names"], place["port"])
        for job in read_yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]
        for place in job.get("dns_sd_configs", ())
    }
    assert scraped == {f"vibes-{name}": ([name], default(field)) for name, field in PARTS.items()}


def test_prometheus_finds_its_configuration_and_its_rules() -> None:
    assert mounted("prometheus")["/etc/prometheus"] == "./deploy/prometheus"
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    assert read_yaml(PROMETHEUS / "prometheus.yml")["rule_files"] == ["rules/*.yml"]


def test_grafana_finds_its_provisioning_and_dashboards() -> None:
    places = mounted("grafana")
    (provider,) = read_yaml(GRAFANA / "provisioning" / "dashboards" / "vibes.yml")["providers"]
    assert places["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    assert places[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert (GRAFANA / "dashboards" / Path(home).name).is_file()


def test_grafana_asks_the_services_beside_it() -> None:
    sources = {
        source["name"]: source for source in read_yaml(GRAFANA / "provisioning/datasources/vibes.yml")["datasources"]
    }
    postgres = sources["Vibes database"]
    assert sources["Prometheus"]["url"] == "http://prometheus:9090"
    assert postgres["url"] == "postgres:5432"
    assert postgres["jsonData"]["database"] == SERVICES["postgres"]["environment"]["POSTGRES_DB"]
    assert postgres["secureJsonData"]["password"].strip("$") in SERVICES["grafana"]["environment"]


def test_the_login_of_grafana_is_made_before_it_starts_with_the_password_it_is_given() -> None:
    assert SERVICES["grafana"]["depends_on"]["grafana-login"] == {"condition": "service_completed_successfully"}
    assert SERVICES["grafana-login"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    passwords = [SERVICES[name]["environment"]["GRAFANA_DATABASE_PASSWORD"] for name in ("grafana", "grafana-login")]
    assert passwords == ["${GRAFANA_DATABASE_PASSWORD:-}"] * 2
    assert mounted("grafana-login")["/login.sql"] == "./deploy/grafana/login.sql"


def test_grafana_does_not_start_without_a_password() -> None:
    shell, flag, script = SERVICES["grafana"]["entrypoint"]
    check = script.replace("$$", "$").replace("exec /run.sh", "echo started")

    def start(password: str) -> subprocess.CompletedProcess[str]:
        environment = {"GF_SECURITY_ADMIN_PASSWORD": password}
        return subprocess.run([shell, flag, check], env=environment, capture_output=True, text=True, check=False)

    refused = start("")
    assert refused.returncode != 0
    assert "set GRAFANA_PASSWORD" in refused.stderr
    assert start("secret").stdout == "started\n"


def test_images_that_are_not_ours_have_a_version() -> None:
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert all(re.search(r":v?\d", image) for image in images), images


# the cluster


def test_every_node_knows_every_node() -> None:
    text = (ROOT / "deploy" / "compose" / "rabbitmq-cluster.conf").read_text()
    assert re.findall(r"nodes\.\d = rabbit@(\S+)", text) == list(NODES)
    assert re.search(r"target_cluster_size_hint = (\d)", text)[1] == str(len(NODES))  # type: ignore[index] # it is there


def test_nodes_have_their_names_disks_and_configuration() -> None:
    hosts = {"rabbitmq": SERVICES["rabbitmq"]["hostname"]}
    hosts |= {name: CLUSTER["services"][name]["hostname"] for name in NODES[1:]}
    assert hosts == {name: name for name in NODES}
    for name in NODES:
        mounts = CLUSTER["services"][name]["volumes"] + (SERVICES[name]["volumes"] if name in SERVICES else [])
        targets = {mount["target"]: mount["source"] for mount in mounts}
        assert targets["/etc/rabbitmq/conf.d/91-cluster.conf"] == "./deploy/compose/rabbitmq-cluster.conf"
        assert targets["/etc/rabbitmq/conf.d/90-vibes-pipeline.conf"] == "./deploy/compose/rabbitmq.conf"
        assert targets["/var/lib/rabbitmq"] == f"{name}-data"


def test_every_part_of_the_pipeline_waits_for_all_nodes_and_may_use_any() -> None:
    for name in PARTS:
        part = CLUSTER["services"][name]
        assert set(part["depends_on"]) == set(NODES)
        assert "@rabbitmq-cluster:5672/" in part["environment"]["AMQP_URL"]
        assert {variable for variable in part["environment"] if variable != "AMQP_URL"} <= set(environment_names())
    for name in NODES:
        assert CLUSTER["services"][name]["networks"]["default"]["aliases"] == ["rabbitmq-cluster"]


def test_the_nodes_are_of_the_release_and_the_user_of_the_single_one() -> None:
    for name in NODES[1:]:
        assert CLUSTER["services"][name]["image"] == SERVICES["rabbitmq"]["image"]
    for name in NODES:
        environment = CLUSTER["services"][name]["environment"]
        assert SERVICES["rabbitmq"]["environment"].items() <= environment.items()


def test_the_variables_of_the_cluster_are_explained() -> None:
    used = set(re.findall(r"\$\{(\w+)", CLUSTER_TEXT))
    told = {name for name in used if re.search(rf"^# {name} ", CLUSTER_TEXT + COMPOSE_TEXT, re.MULTILINE)}
    assert used - told == {"VIBES_PIPELINE_APPLY_QUEUES"}


def test_compose_itself_puts_the_cluster_in_the_place_of_the_single_node() -> None:
    compose = compose_command()
    if compose is None:
        pytest.skip("neither `docker compose` nor docker-compose is installed here")
    files = [argument for name in ("docker-compose.yml", "docker-compose.cluster.yml") for argument in ("--file", name)]
    result = subprocess.run(
        [*compose, *files, "config"],
        env=os.environ | VARIABLES | {"RABBITMQ_ERLANG_COOKIE": "cookie"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    whole = yaml.safe_load(result.stdout)["services"]
    assert set(NODES) <= set(whole)
    for name in PARTS:
        assert set(NODES) <= set(whole[name]["depends_on"])
        assert whole[name]["environment"]["AMQP_URL"] == "amqp://vibes:mq@rabbitmq-cluster:5672/"
    assert json.dumps(whole).count("cookie") == len(NODES)
