"""What the pods of deploy/kubernetes work with, and by what they are scaled."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import generate_latest

from runtime.metrics import REGISTRY
from schemas.topology import Topology
from tests.support.kubernetes import NAMESPACE, OVERLAYS, PARTS, SERVICE_LABELS, Overlay, make_secrets, overlay, selects
from tests.support.least_privilege import POLICY_SCRIPT, USERS_SCRIPT
from tests.support.prometheus import MISSING, installed
from workers.apply.consumer import BATCHES_AT_ONCE

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
APPLY_CONNECTIONS = 5
"""Beside those for batches."""
PERSON_SYNC_CONNECTIONS = 12
OTHER_CONNECTIONS = 30
"""Commands, the operator, its exporters, a migration, people."""

pytestmark = pytest.mark.parametrize("rendered", OVERLAYS, indirect=True)


@pytest.fixture
def rendered(request: pytest.FixtureRequest) -> Overlay:
    return overlay(request.param)


def topology(rendered: Overlay) -> Topology:
    settings = rendered.environment(rendered.pods["apply"])
    return Topology(apply_queues=int(settings.get("VIBES_PIPELINE_APPLY_QUEUES", "1")))


# scaling


def triggers(rendered: Overlay, name: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in rendered.one("ScaledObject", name)["spec"]["triggers"] if each["type"] == kind]


def queues(rendered: Overlay, name: str) -> set[str]:
    return {each["metadata"]["queueName"] for each in triggers(rendered, name, "rabbitmq")}


def test_apply_is_scaled_by_the_length_of_every_queue_that_grows_with_traffic(rendered: Overlay) -> None:
    named = topology(rendered)
    assert queues(rendered, "apply") == {queue.name for queue in (*named.apply, named.crm_changes)}


def test_person_sync_is_scaled_by_its_own_queue(rendered: Overlay) -> None:
    assert queues(rendered, "person-sync") == {topology(rendered).person_sync.name}


def test_lag_that_is_scaled_by_is_of_this_namespace_and_its_metric_exists(rendered: Overlay) -> None:
    metrics = set(re.findall(r"^# TYPE (\w+)", generate_latest(REGISTRY).decode(), re.MULTILINE))
    for name in ("apply", "person-sync"):
        (trigger,) = triggers(rendered, name, "prometheus")
        query = trigger["metadata"]["query"]
        assert f'{{namespace="{NAMESPACE}"}}' in query
        assert set(re.findall(r"vibes_\w+", query)) <= metrics
        # Lag is no amount to be shared out among the pods; and where nobody can be asked, the pods stay.
        assert trigger["metricType"] == "Value"
        assert trigger["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.skipif(not installed(), reason=MISSING)
def test_prometheus_understands_what_it_is_asked(rendered: Overlay, tmp_path: Path) -> None:
    asked = [triggers(rendered, name, "prometheus")[0]["metadata"]["query"] for name in ("apply", "person-sync")]
    rules = [{"record": f"keda:query:{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "keda", "rules": rules}]}))
    subprocess.run([shutil.which("promtool") or "promtool", "check", "rules", file], check=True, capture_output=True)


def test_ingest_is_scaled_by_its_cpu(rendered: Overlay) -> None:
    (metric,) = rendered.one("HorizontalPodAutoscaler", "ingest")["spec"]["metrics"]
    assert metric["resource"]["name"] == "cpu"
    assert rendered.one("HorizontalPodAutoscaler", "ingest")["spec"]["minReplicas"] >= 2


def test_each_autoscaler_has_a_deployment_to_scale(rendered: Overlay) -> None:
    for scaled in (*rendered.all("ScaledObject").values(), *rendered.all("HorizontalPodAutoscaler").values()):
        assert scaled["spec"]["scaleTargetRef"]["name"] in rendered.all("Deployment")
    assert set(rendered.most_replicas()) == set(PARTS)


def test_the_last_pods_of_a_part_are_never_taken_away(rendered: Overlay) -> None:
    assert all(each["spec"]["minReplicaCount"] >= 1 for each in rendered.all("ScaledObject").values())


# broker users


def rights_by_script(directory: Path) -> dict[str, tuple[str, str, str]]:
    """Run users.sh with a rabbitmqctl that only tells what it is asked for."""
    told = directory / "told"
    told.touch()
    program = directory / "rabbitmqctl"
    program.write_text(f'#!/bin/sh\n[ "$2" = set_permissions ] && printf "%s\\n" "$5" "$6" "$7" "$8" >> {told}\ncat\n')
    program.chmod(0o755)
    environment = {"PATH": f"{directory}:/usr/bin:/bin"}
    subprocess.run(
        [USERS_SCRIPT, directory / "passwords"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    lines = iter(told.read_text().splitlines())
    return {user: (next(lines), next(lines), next(lines)) for user in lines}


def test_broker_users_have_the_rights_that_the_script_for_other_installations_gives(
    rendered: Overlay, tmp_path: Path
) -> None:
    rights = {}
    for name, permission in rendered.all("Permission").items():
        assert permission["spec"]["userReference"]["name"] == name
        assert permission["spec"]["vhost"] == "/"
        given = permission["spec"]["permissions"]
        rights[f"vibes-{name}"] = (given["configure"], given["write"], given["read"])

    assert rights.pop("vibes-keda") == ("^$", "^$", "^$"), "to ask for a queue's length needs no right"
    assert rights == rights_by_script(tmp_path)


def test_what_was_given_up_is_kept_by_the_policy_that_the_script_for_other_installations_sets(
    rendered: Overlay, tmp_path: Path
) -> None:
    program = tmp_path / "rabbitmqctl"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    ran = subprocess.run([POLICY_SCRIPT], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, stdout=subprocess.PIPE, check=True)
    told = ran.stdout.decode().splitlines()
    policy = rendered.one("Policy", "dead-letters")["spec"]
    assert told == [
        *("--quiet", "set_policy", "--vhost", policy["vhost"], "--apply-to", policy["applyTo"]),
        *(policy["name"], policy["pattern"], json.dumps(policy["definition"])),
    ]
    assert re.fullmatch(policy["pattern"], topology(rendered).dead_letters.name)


def test_each_broker_user_has_its_name_and_password_from_its_secret(rendered: Overlay, tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    assert set(rendered.all("User")) == set(rendered.all("Permission"))
    for name, user in rendered.all("User").items():
        secret = made[user["spec"]["importCredentialsSecret"]["name"]]
        url = urlsplit(secret["amqp-url"])
        assert (
            (url.username, url.password) == (secret["username"], secret["password"]) == (f"vibes-{name}", url.password)
        )
        assert "tags" not in user["spec"], "none may use the management console"


def test_keda_asks_as_its_own_user_and_trusts_the_brokers_ca(rendered: Overlay, tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    references = rendered.one("TriggerAuthentication", "broker")["spec"]["secretTargetRef"]
    told = {each["parameter"]: (each["name"], each["key"]) for each in references}
    assert told.pop("ca") == ("rabbitmq-tls", "ca.crt")
    assert {parameter: made[name][key] for parameter, (name, key) in told.items()} == {
        "host": made["broker-keda"]["amqp-url"],
        "tls": "enable",
    }


def test_passwords_are_made_once_and_kept(rendered: Overlay, tmp_path: Path) -> None:
    first = make_secrets(tmp_path)
    assert make_secrets(tmp_path) == first
    passwords = [secret["password"] for secret in first.values() if "password" in secret]
    assert len(set(passwords)) == len(passwords) == 10
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in passwords)


def test_a_password_of_the_vibes_api_becomes_a_file(rendered: Overlay, tmp_path: Path) -> None:
    (tmp_path / "vibes-api").mkdir()
    (tmp_path / "vibes-api" / "acme-us").write_text("top: secret\n")
    assert make_secrets(tmp_path)["vibes-api"] == {"acme-us": "dG9wOiBzZWNyZXQK"}


# RabbitMQ and PostgreSQL


def test_a_confirmed_callback_is_on_a_majority_of_three_nodes_on_three_machines(rendered: Overlay) -> None:
    spec = rendered.one("RabbitmqCluster", "rabbitmq")["spec"]
    (rule,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert spec["replicas"] == 3
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert selects(rule["labelSelector"], SERVICE_LABELS["rabbitmq"])
    # A queue that is declared while the cluster still comes up gets its replicas later.
    settings = dict(re.findall(r"^([\w.]+) = (.+)$", spec["rabbitmq"]["additionalConfig"], re.MULTILINE))
    reconciliation = "quorum_queue.continuous_membership_reconciliation"
    assert (settings[f"{reconciliation}.enabled"], settings[f"{reconciliation}.target_group_size"]) == ("true", "3")
    budget = rendered.one("PodDisruptionBudget", "rabbitmq")["spec"]
    assert budget["maxUnavailable"] == 1
    assert selects(budget["selector"], SERVICE_LABELS["rabbitmq"])


def test_a_commit_is_on_two_of_three_databases(rendered: Overlay) -> None:
    spec = rendered.one("Cluster", "postgres")["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}


def test_the_services_have_the_settings_of_the_compose_file_but_for_sizes(rendered: Overlay) -> None:
    words = COMPOSE["services"]["postgres"]["command"][1:]
    compose = dict(word.removeprefix("-c").split("=", 1) for word in words)
    sized = {"max_connections", "shared_buffers", "effective_cache_size", "maintenance_work_mem"}
    always_on = {"fsync", "full_page_writes", "synchronous_commit"}
    parameters = rendered.one("Cluster", "postgres")["spec"]["postgresql"]["parameters"]
    assert {name: value for name, value in parameters.items() if name not in sized} == {
        name: value for name, value in compose.items() if name not in sized | always_on
    }
    assert not always_on & set(parameters), "they are on unless somebody says otherwise"

    written = (ROOT / "deploy" / "compose" / "rabbitmq.conf").read_text().splitlines()
    broker = rendered.one("RabbitmqCluster", "rabbitmq")["spec"]
    assert {line for line in written if line and not line.startswith("#")} <= set(
        broker["rabbitmq"]["additionalConfig"].splitlines()
    )
    assert broker["image"] == COMPOSE["services"]["rabbitmq"]["image"]


def test_the_database_has_connections_for_all_pods_at_their_most_and_a_rollout(rendered: Overlay) -> None:
    most = {name: count + -(-count // 4) for name, count in rendered.most_replicas().items()}
    needed = {
        "apply": most["apply"] * (BATCHES_AT_ONCE * len(topology(rendered).apply) + APPLY_CONNECTIONS),
        "person-sync": most["person-sync"] * PERSON_SYNC_CONNECTIONS,
    }
    parameters = rendered.one("Cluster", "postgres")["spec"]["postgresql"]["parameters"]
    assert sum(needed.values()) + OTHER_CONNECTIONS <= int(parameters["max_connections"])


def test_each_login_of_the_database_has_its_name_and_password_from_its_secret(
    rendered: Overlay, tmp_path: Path
) -> None:
    made = make_secrets(tmp_path)
    spec = rendered.one("Cluster", "postgres")["spec"]
    initdb = spec["bootstrap"]["initdb"]
    logins = {role["name"]: role["passwordSecret"]["name"] for role in spec["managed"]["roles"]}
    for login, secret in {**logins, initdb["owner"]: initdb["secret"]["name"]}.items():
        url = urlsplit(made[secret]["database-url"])
        assert (url.username, url.password) == (made[secret]["username"], made[secret]["password"])
        assert (url.username, url.path) == (login, f"/{initdb['database']}")


def test_the_hosts_in_the_urls_are_services_with_certificates_for_them(rendered: Overlay, tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    brokers = {urlsplit(secret["amqp-url"]).hostname for secret in made.values() if "amqp-url" in secret}
    databases = {urlsplit(secret["database-url"]).hostname for secret in made.values() if "database-url" in secret}

    assert brokers <= set(rendered.one("Certificate", "rabbitmq")["spec"]["dnsNames"])
    assert brokers == {f"{name}.{NAMESPACE}.svc" for name in rendered.all("RabbitmqCluster")}
    # CloudNativePG makes the service, and a certificate for its names.
    assert databases == {f"{name}-rw.{NAMESPACE}.svc" for name in rendered.all("Cluster")}
    assert rendered.one("RabbitmqCluster", "rabbitmq")["spec"]["tls"]["secretName"] == "rabbitmq-tls"
