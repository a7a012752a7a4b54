"""docs/kubernetes.md: what it tells to type does what it says."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from runtime.metrics import REGISTRY
from runtime.settings import environment_names
from tests.support.kubernetes import NAMESPACE, OVERLAYS, overlay, render
from tests.unit.test_kubernetes_schemas import problems

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "kubernetes.md").read_text()


def block(language: str, containing: str) -> str:
    """The block of code in which a text is, with its indentation in the document removed."""
    for indent, body in re.findall(rf"^( *)```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL):
        if containing in body:
            return re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
    raise AssertionError(f"no {language} block has {containing!r}")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A directory for an overlay beside a checkout."""
    (tmp_path / "vibes-pipeline").symlink_to(ROOT)
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def test_an_overlay_of_ones_own_is_what_the_example_says(mine: Path) -> None:
    (mine / "companies.toml").write_text("# mine\n")
    (mine / "kustomization.yaml").write_text(block("yaml", "resources:"))

    manifests = render(mine)

    assert [problem for manifest in manifests for problem in problems(manifest)] == []
    by_name = {
        (each["kind"], each["metadata"]["name"].rpartition("-")[0] or each["metadata"]["name"]): each
        for each in manifests
    }
    assert by_name["ConfigMap", "companies"]["data"] == {"companies.toml": "# mine\n"}
    assert by_name["Ingress", "ingest"]["spec"]["rules"][0]["host"] == "callbacks.mine.example"
    image = by_name["Deployment", "ingest"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.startswith("registry.mine.example/vibes-pipeline:")


def test_a_setting_is_added_as_the_example_says(mine: Path) -> None:
    base = "resources: [../vibes-pipeline/deploy/kubernetes/overlays/large]\n"
    (mine / "kustomization.yaml").write_text(base + block("yaml", "behavior: merge"))

    (settings,) = (each for each in render(mine) if each["metadata"]["name"].startswith("settings-"))

    assert settings["data"]["VIBES_PIPELINE_LOG_LEVEL"] == "DEBUG"
    assert settings["data"]["VIBES_PIPELINE_APPLY_QUEUES"] == "3"


def test_the_rules_of_prometheus_become_resources_of_its_operator() -> None:
    loop, _, apply = block("sh", "PrometheusRule").rpartition(" | ")
    assert apply.startswith("kubectl apply")

    result = subprocess.run(["/bin/sh", "-euc", loop], cwd=ROOT, capture_output=True, text=True, check=True)

    rules = [each for each in yaml.safe_load_all(result.stdout) if each]
    assert len(rules) == len(list((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))) > 0
    assert [problem for rule in rules for problem in problems(rule)] == []


def test_every_metric_and_setting_it_names_exists() -> None:
    metrics = set(re.findall(r"^# TYPE (\w+)", generate_latest(REGISTRY).decode(), re.MULTILINE))
    assert set(re.findall(r"\bvibes_[a-z_]+_[a-z]+\b", TEXT)) <= metrics
    assert set(re.findall(r"\bVIBES_PIPELINE_[A-Z_]+", TEXT)) <= set(environment_names())


def test_every_file_it_names_is_there() -> None:
    directory = ROOT / "deploy" / "kubernetes"
    for path in re.findall(r"`((?:base|components|overlays)/[\w./-]+|[\w-]+\.(?:sh|yaml))`", TEXT):
        assert [*directory.glob(path), *directory.glob(f"*/{path}")], path
    for path in re.findall(r"\]\(\.\./([\w./-]+)", TEXT):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", OVERLAYS)
def test_its_table_of_sizes_is_that_of_the_overlays(name: str) -> None:
    rendered = overlay(name)
    (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", TEXT, re.MULTILINE)
    _, _, *told = (cell.strip() for cell in row.split("|"))
    most = rendered.most_replicas()
    least = {
        "ingest": rendered.one("HorizontalPodAutoscaler", "ingest")["spec"]["minReplicas"],
        **{part: rendered.one("ScaledObject", part)["spec"]["minReplicaCount"] for part in ("apply", "person-sync")},
    }
    for part, cell in zip(("ingest", "apply", "person-sync"), told, strict=False):
        assert cell.startswith(f"{least[part]} to {most[part]}")
    for (kind, service), cell in zip((("RabbitmqCluster", "rabbitmq"), ("Cluster", "postgres")), told[3:], strict=True):
        spec = rendered.one(kind, service)["spec"]
        memory = spec["resources"]["limits"]["memory"].replace("Gi", " GiB")
        assert cell == f"{spec.get('replicas', spec.get('instances'))} of {memory}"


def test_the_namespace_is_the_one_of_the_manifests() -> None:
    assert f"--namespace {NAMESPACE}" in TEXT
