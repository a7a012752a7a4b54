"""Whatever the manifests of deploy/kubernetes say about our processes is held against the code that they start."""

import re
import tomllib
from pathlib import Path

import pytest
import trustme
import typer
import yaml
from typer.core import TyperGroup

from cli.main import app
from runtime.admin import create_admin_app
from runtime.companies import load_companies
from runtime.settings import PREFIX, Settings, environment_names, load_settings
from tests.support.kubernetes import (
    DIRECTORY,
    NAMESPACE,
    OVERLAYS,
    PARTS,
    Overlay,
    Pod,
    Secrets,
    make_secrets,
    overlay,
    selects,
)

ROOT = Path(__file__).parents[2]
JOBS = ("migrate", "declare")
DAILY = "maintain"
FROM_OPERATORS = {("rabbitmq-tls", "ca.crt"), ("postgres-ca", "ca.crt")}
"""Files of secrets that cert-manager and CloudNativePG make."""
DAY_SECONDS = 24 * 60 * 60
AFTER_DRAIN_SECONDS = 10
"""What a process does after its drain is bounded by that."""
MIB = 1024 * 1024

pytestmark = pytest.mark.parametrize("rendered", OVERLAYS, indirect=True)


@pytest.fixture
def rendered(request: pytest.FixtureRequest) -> Overlay:
    return overlay(request.param)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    """What secrets.sh makes."""
    return make_secrets(tmp_path_factory.mktemp("passwords"))


def settings_of(pod: Pod, rendered: Overlay, secrets: Secrets, directory: Path, patch: pytest.MonkeyPatch) -> Settings:
    """Load the settings as the process in that pod would."""
    for path, (secret, key) in pod.files().items():
        file = directory / Path(path).name
        if key == "ca.crt":
            trustme.CA().cert_pem.write_to_path(str(file))
        else:
            file.write_text(secrets[secret][key])
    for name in environment_names():
        patch.delenv(name, raising=False)
        patch.delenv(f"{name}_FILE", raising=False)
    for name, value in rendered.environment(pod).items():
        inside = value.replace("/run/secrets/vibes-pipeline", str(directory))
        patch.setenv(name, inside)
    return load_settings()


# commands, settings, ports, probes


def test_the_parts_the_jobs_and_a_console_are_there(rendered: Overlay) -> None:
    assert set(rendered.all("Deployment")) == {*PARTS, "console"}
    assert set(rendered.all("Job")) == set(JOBS)
    assert set(rendered.all("CronJob")) == {DAILY}


@pytest.mark.parametrize("component", [*PARTS, *JOBS, DAILY])
def test_each_pod_runs_a_command_that_the_cli_knows(rendered: Overlay, component: str) -> None:
    container = rendered.pods[component].container
    command, *arguments = container["args"]
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    assert command == component
    group.commands[command].make_context(command, list(arguments))
    assert "command" not in container, "the image's entry point is the console script"


def test_every_variable_is_a_setting_or_the_file_of_a_secret_one(rendered: Overlay) -> None:
    known = {*environment_names(), "AMQP_URL_FILE", "DATABASE_URL_FILE"}
    for pod in rendered.pods.values():
        assert set(rendered.environment(pod)) <= known


@pytest.mark.parametrize("component", [*PARTS, *JOBS, DAILY, "console"])
def test_the_settings_and_secrets_of_each_pod_are_accepted(
    rendered: Overlay, component: str, secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(rendered.pods[component], rendered, secrets, tmp_path, monkeypatch)

    assert settings.drain_seconds == Settings.model_fields["drain_seconds"].default
    broker, database = settings.amqp_url.get_secret_value(), settings.database_url.get_secret_value()
    if component not in ("migrate", DAILY):
        assert broker.startswith("amqps://vibes-")
        assert "cafile=" in broker
    if component not in ("ingest", "declare"):
        assert "sslmode=verify-full" in database
        assert "sslrootcert=" in database


def test_each_file_that_a_variable_names_is_mounted(rendered: Overlay) -> None:
    for pod in rendered.pods.values():
        named = {value for value in rendered.environment(pod).values() if value.startswith("/run/secrets/")}
        assert named == set(pod.files())
        companies = rendered.environment(pod)[f"{PREFIX}COMPANIES_FILE"]
        (mount,) = (each for each in pod.container["volumeMounts"] if each["name"] == "companies")
        assert companies == f"{mount['mountPath']}/companies.toml"
        assert pod.volume("companies")["configMap"]["name"] == rendered.config_map("companies")["metadata"]["name"]


def test_each_secret_is_made_by_the_script_or_by_an_operator(rendered: Overlay, secrets: Secrets) -> None:
    for pod in rendered.pods.values():
        for secret, key in pod.files().values():
            assert (secret, key) in FROM_OPERATORS or key in secrets[secret]
        for volume in pod.spec["volumes"]:
            assert volume.get("secret", {}).get("secretName", "vibes-api") in secrets
    assert rendered.one("Certificate", "rabbitmq")["spec"]["secretName"] == "rabbitmq-tls"
    assert "postgres" in rendered.all("Cluster"), "whose CA is in the secret postgres-ca"


@pytest.mark.parametrize(("component", "prefix"), PARTS.items())
def test_each_port_is_the_one_the_process_listens_on(rendered: Overlay, component: str, prefix: str) -> None:
    wanted = {"admin": Settings.model_fields[f"{prefix}_admin_port"].default}
    if component == "ingest":
        wanted["http"] = Settings.model_fields["ingest_port"].default
    assert rendered.pods[component].ports == wanted
    assert rendered.environment(rendered.pods[component])[f"{PREFIX}ADMIN_HOST"] == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("component", PARTS)
def test_each_probe_asks_what_the_admin_port_answers(rendered: Overlay, component: str) -> None:
    async def ready() -> None:
        return None

    paths = {resource.canonical for resource in create_admin_app("ingest", ready).router.resources()}
    container = rendered.pods[component].container
    probes = {name: container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}

    assert {probe["httpGet"]["path"] for probe in probes.values()} <= paths
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"admin"}
    # What a process waits for is no reason to restart it.
    assert probes["liveness"]["httpGet"]["path"] == "/healthz"
    assert probes["readiness"]["httpGet"]["path"] == "/readyz"


def test_prometheus_asks_the_admin_port_of_every_part(rendered: Overlay) -> None:
    (endpoint,) = rendered.one("PodMonitor", "vibes-pipeline")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
    selector = rendered.one("PodMonitor", "vibes-pipeline")["spec"]["selector"]
    assert {name for name, pod in rendered.pods.items() if selects(selector, pod.labels)} == set(PARTS)

    # Rules and dashboards tell the parts by the names of the jobs.
    (relabeling,) = endpoint["relabelings"]
    assert relabeling["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    assert relabeling["targetLabel"] == "job"
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert {relabeling["replacement"].replace("$1", part) for part in PARTS} <= {job["job_name"] for job in jobs}


# what is done daily


def test_every_day_is_maintained_once_and_never_by_two_at_a_time(rendered: Overlay) -> None:
    spec = rendered.one("CronJob", DAILY)["spec"]
    assert re.fullmatch(r"[0-5]?\d ([01]?\d|2[0-3]) \* \* \*", spec["schedule"])
    assert spec["timeZone"] == "Etc/UTC", "without one it would be that of the cluster"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert "suspend" not in spec


def test_one_that_hangs_is_ended_before_the_next_day_and_a_late_one_still_starts(rendered: Overlay) -> None:
    spec = rendered.one("CronJob", DAILY)["spec"]
    assert 3600 <= spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < DAY_SECONDS
    assert 3600 <= spec["startingDeadlineSeconds"] < DAY_SECONDS


def test_the_logs_of_its_last_tries_can_be_read_and_older_ones_go(rendered: Overlay) -> None:
    spec = rendered.one("CronJob", DAILY)["spec"]
    # A restarted container's job takes its pod, and the log, with it when it fails.
    assert rendered.pods[DAILY].spec["restartPolicy"] == "Never"
    assert 1 <= spec["jobTemplate"]["spec"]["backoffLimit"] <= 5
    assert 1 <= spec["failedJobsHistoryLimit"] <= 7
    assert 1 <= spec["successfulJobsHistoryLimit"] <= 7


def test_who_maintains_is_the_owner_of_the_tables_who_migrates(rendered: Overlay) -> None:
    assert rendered.pods[DAILY].files() == rendered.pods["migrate"].files()


# the way in


def test_every_path_leads_from_the_ingress_to_ingest(rendered: Overlay) -> None:
    service = rendered.one("Service", "ingest")["spec"]
    (port,) = service["ports"]
    assert port["targetPort"] == "http"
    assert selects({"matchLabels": service["selector"]}, rendered.pods["ingest"].labels)
    (rule,) = rendered.one("Ingress", "ingest")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    # A controller's own 404 would lose an event; ingest answers an unknown path 503 if it is Vibes who calls.
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"] == {"service": {"name": "ingest", "port": {"name": port["name"]}}}


def test_the_proxy_that_the_ingress_is_has_been_counted(rendered: Overlay) -> None:
    assert rendered.environment(rendered.pods["ingest"])[f"{PREFIX}INGEST_TRUSTED_PROXIES"] == "1"


# start, drain, restart


@pytest.mark.parametrize("component", PARTS)
def test_a_pod_has_the_time_it_needs_to_drain(rendered: Overlay, component: str) -> None:
    pod = rendered.pods[component]
    before = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    drain = float(rendered.environment(pod)[f"{PREFIX}DRAIN_SECONDS"])
    assert pod.spec["terminationGracePeriodSeconds"] >= before + drain + AFTER_DRAIN_SECONDS


def test_ingest_leaves_the_balancers_before_it_stops_listening(rendered: Overlay) -> None:
    assert rendered.pods["ingest"].container["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}


@pytest.mark.parametrize("component", PARTS)
def test_a_rollout_takes_no_pod_before_another_is_ready(rendered: Overlay, component: str) -> None:
    assert rendered.pods[component].owner["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_changed_setting_or_company_makes_new_pods(rendered: Overlay) -> None:
    for name in ("settings", "companies"):
        assert re.fullmatch(rf"{name}-[a-z0-9]{{10}}", rendered.config_map(name)["metadata"]["name"])


@pytest.mark.parametrize("component", PARTS)
def test_what_an_autoscaler_sets_is_not_set_by_the_manifest(rendered: Overlay, component: str) -> None:
    assert "replicas" not in rendered.pods[component].owner["spec"]
    assert component in rendered.most_replicas()


@pytest.mark.parametrize("component", PARTS)
def test_one_pod_at_a_time_may_be_evicted(rendered: Overlay, component: str) -> None:
    budget = rendered.one("PodDisruptionBudget", component)["spec"]
    assert budget["maxUnavailable"] == 1
    assert selects(budget["selector"], rendered.pods[component].labels)


def test_selectors_fit_the_pods_they_are_for_and_no_others(rendered: Overlay) -> None:
    for name, owner in rendered.all("Deployment").items():
        assert [other for other, pod in rendered.pods.items() if selects(owner["spec"]["selector"], pod.labels)] == [
            name
        ]
    for component in PARTS:
        for spread in rendered.pods[component].spec["topologySpreadConstraints"]:
            assert selects(spread["labelSelector"], rendered.pods[component].labels)


# what a pod may do


def test_all_pods_have_the_same_in_common_wherever_their_template_is(rendered: Overlay) -> None:
    deployment, cronjob = (
        yaml.safe_load((DIRECTORY / "base" / name).read_text()) for name in ("pod.yaml", "pod-of-cronjob.yaml")
    )
    assert cronjob["spec"]["jobTemplate"]["spec"]["template"] == deployment["spec"]["template"]
    common = deployment["spec"]["template"]["spec"]
    (container,) = common.pop("containers")
    for pod in rendered.pods.values():
        assert common.keys() <= pod.spec.keys()
        assert container.keys() <= pod.container.keys()


def test_pods_of_ours_can_do_little_beside_their_work(rendered: Overlay) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    assert user
    for pod in rendered.pods.values():
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": int(user[1]),
            "runAsGroup": int(user[2]),
            "fsGroup": int(user[2]),
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert (
        rendered.one("Namespace", NAMESPACE)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    )


def test_no_service_is_taken_for_a_setting(rendered: Overlay) -> None:
    assert all(pod.spec["enableServiceLinks"] is False for pod in rendered.pods.values())


def test_the_first_process_of_a_container_gets_its_signals(rendered: Overlay) -> None:
    assert all(pod.spec["shareProcessNamespace"] is True for pod in rendered.pods.values())


def test_passwords_of_the_api_are_where_they_are_needed_only(rendered: Overlay) -> None:
    having = {
        name for name, pod in rendered.pods.items() if any(each["name"] == "vibes-api" for each in pod.spec["volumes"])
    }
    assert having == {"person-sync", "console"}


def test_no_two_processes_share_a_login(rendered: Overlay) -> None:
    # But for what changes the tables: that is their owner.
    pods = [pod for name, pod in rendered.pods.items() if name != DAILY]
    used = [each for pod in pods for each in pod.files().values() if each not in FROM_OPERATORS]
    assert len(used) == len(set(used))
    assert not [secret for secret, _ in rendered.pods["ingest"].files().values() if secret.startswith("database-")]


# sizes


def amount(text: str) -> int:
    """Bytes of a quantity such as 512Mi."""
    number, unit = text[:-2], text[-2:]
    return int(number) * {"Mi": MIB, "Gi": 1024 * MIB}[unit]


@pytest.mark.parametrize("component", ["ingest", "apply"])
def test_memory_is_enough_for_what_the_settings_let_in(
    rendered: Overlay, component: str, secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(rendered.pods[component], rendered, secrets, tmp_path, monkeypatch)
    limit = amount(rendered.pods[component].container["resources"]["limits"]["memory"])
    if component == "ingest":
        # See docs/architecture.md, "Back-pressure and memory": headers that are not finished have 32 MiB.
        held = settings.ingest_max_pending_bytes + 32 * MIB + 4 * settings.ingest_crm_max_body_bytes
    else:
        queues = len(settings.topology.apply) + 1
        held = (
            queues * settings.apply_prefetch_messages * settings.ingest_group_max_bytes + 2 * settings.apply_batch_bytes
        )

    assert held + 150 * MIB <= limit


def test_cpu_is_asked_for_but_not_limited(rendered: Overlay) -> None:
    for component in PARTS:
        resources = rendered.pods[component].container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert set(resources["limits"]) == {"memory"}


# the rest


def test_the_companies_file_loads_and_its_passwords_are_mounted_files(rendered: Overlay, tmp_path: Path) -> None:
    file = tmp_path / "companies.toml"
    file.write_text(rendered.config_map("companies")["data"]["companies.toml"])
    (mount,) = (each for each in rendered.pods["person-sync"].container["volumeMounts"] if each["name"] == "vibes-api")
    for company in load_companies(file).companies:
        assert company.api_password_file is not None
        assert str(company.api_password_file.parent) == mount["mountPath"]


def test_the_image_is_of_this_version(rendered: Overlay) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {pod.container["image"] for pod in rendered.pods.values()}
    assert images == {f"registry.example/vibes-pipeline:{version}"}


def test_everything_is_in_one_namespace(rendered: Overlay) -> None:
    outside = [each for each in rendered.manifests if each["metadata"].get("namespace") != NAMESPACE]
    assert [each["kind"] for each in outside] == ["Namespace"]
