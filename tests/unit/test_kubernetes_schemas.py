"""The manifests of deploy/kubernetes are what Kubernetes and the operators take, to the last field."""

import copy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.kubernetes import OVERLAYS, overlay, schemas

DATA = Path(__file__).parents[1] / "data" / "kubernetes"
CUSTOM = {
    kind: Draft202012Validator(schema)
    for name in ("custom-resources", "rabbitmq")
    for kind, schema in schemas(DATA / f"{name}.json")
}
KUBERNETES = {
    version: {kind: Draft202012Validator(schema) for kind, schema in schemas(DATA / f"kubernetes-{version}.json")}
    for version in ("1.30", "1.37")
}


def problems(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest, for any version of Kubernetes that it is for."""
    kind = f"{manifest['apiVersion']} {manifest['kind']}"
    validators = [CUSTOM[kind]] if kind in CUSTOM else [versions[kind] for versions in KUBERNETES.values()]
    return [
        f"{kind} {manifest['metadata']['name']}: {'.'.join(map(str, error.path))}: {error.message[:200]}"
        for validator in validators
        for error in validator.iter_errors(manifest)
    ]


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_manifest_fits_the_schema_of_its_kind(name: str) -> None:
    assert [problem for manifest in overlay(name).manifests for problem in problems(manifest)] == []


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("Deployment", "ingest", ("spec", "template", "spec", "containers", 0, "readinessProbe")),
        ("CronJob", "maintain", ("spec",)),
        ("CronJob", "maintain", ("spec", "jobTemplate", "spec", "template", "spec", "containers", 0)),
        ("NetworkPolicy", "to-vibes", ("spec", "egress", 0)),
        ("ScaledObject", "apply", ("spec", "triggers", 0)),
        ("Certificate", "rabbitmq", ("spec", "privateKey")),
        ("PodMonitor", "vibes-pipeline", ("spec", "podMetricsEndpoints", 0)),
        ("RabbitmqCluster", "rabbitmq", ("spec", "rabbitmq")),
        ("Cluster", "postgres", ("spec", "postgresql", "synchronous")),
    ],
)
def test_a_field_that_does_not_exist_is_found(kind: str, name: str, path: tuple[str | int, ...]) -> None:
    manifest = copy.deepcopy(overlay("small").one(kind, name))
    place: Any = manifest
    for step in path:
        place = place[step]
    place["misspelt"] = "x"

    assert problems(manifest)
