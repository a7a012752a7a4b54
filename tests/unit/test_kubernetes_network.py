"""Who may reach whom by the network policies of deploy/kubernetes: what is said is all there is."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.kubernetes import OVERLAYS, PARTS, SERVICE_LABELS, Overlay, overlay, selects

pytestmark = pytest.mark.parametrize("rendered", OVERLAYS, indirect=True)


@pytest.fixture
def rendered(request: pytest.FixtureRequest) -> Overlay:
    return overlay(request.param)


def peers(rendered: Overlay) -> dict[str, dict[str, str]]:
    return {**{name: pod.labels for name, pod in rendered.pods.items()}, **SERVICE_LABELS}


def allowed(
    rendered: Overlay, direction: str, labels: dict[str, str]
) -> Iterator[tuple[dict[str, Any], set[int | str]]]:
    """Yield whom the policies let a pod talk to or be talked to by ({}: anybody), and at which ports."""
    word = "to" if direction == "egress" else "from"
    for policy in rendered.all("NetworkPolicy").values():
        if not selects(policy["spec"]["podSelector"], labels):
            continue
        for rule in policy["spec"].get(direction, []):
            for peer in rule.get(word, [{}]):
                yield peer, {port["port"] for port in rule["ports"]}


def pods_among(rendered: Overlay, peer: dict[str, Any]) -> set[str]:
    if "podSelector" not in peer or "namespaceSelector" in peer:
        return set()
    return {name for name, labels in peers(rendered).items() if selects(peer["podSelector"], labels)}


def connections(rendered: Overlay, direction: str, name: str) -> set[tuple[str, int | str]]:
    """The pods in this namespace, and ports, that the policies name for one of them."""
    found = allowed(rendered, direction, peers(rendered)[name])
    return {(other, port) for peer, ports in found for other in pods_among(rendered, peer) for port in ports}


def test_what_is_not_allowed_is_denied(rendered: Overlay) -> None:
    assert rendered.one("NetworkPolicy", "default-deny")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_each_pod_reaches_the_services_that_it_needs_and_no_other_pod(rendered: Overlay) -> None:
    broker, database = ("rabbitmq", 5671), ("postgres", 5432)
    assert {name: connections(rendered, "egress", name) for name in rendered.pods} == {
        "ingest": {broker},
        "apply": {broker, database},
        "person-sync": {broker, database},
        "console": {broker, database},
        "migrate": {database},
        "maintain": {database},
        "declare": {broker},
    }


def test_the_services_let_in_whom_their_policies_let_out(rendered: Overlay) -> None:
    for service, port in (("rabbitmq", 5671), ("postgres", 5432)):
        let_out = {name for name in rendered.pods if (service, port) in connections(rendered, "egress", name)}
        assert {(name, port) for name in let_out} == {
            (name, at) for name, at in connections(rendered, "ingress", service) if name in rendered.pods
        }


def test_only_ingest_can_be_reached_from_everywhere_and_only_at_its_callback_port(rendered: Overlay) -> None:
    for name, labels in peers(rendered).items():
        open_to_all = [ports for peer, ports in allowed(rendered, "ingress", labels) if not peer]
        assert open_to_all == ([{"http"}] if name == "ingest" else [])


def test_only_who_calls_the_vibes_api_reaches_the_internet_and_no_private_network(rendered: Overlay) -> None:
    for name in rendered.pods:
        outside = [
            (peer["ipBlock"], ports)
            for peer, ports in allowed(rendered, "egress", peers(rendered)[name])
            if "ipBlock" in peer
        ]
        assert bool(outside) == (name in ("person-sync", "console"))
        for block, ports in outside:
            assert ports == {443}
            assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"]) or ":" in block["cidr"]


def test_no_rule_for_pods_of_ours_leaves_its_other_end_open(rendered: Overlay) -> None:
    for name in rendered.pods:
        assert all(peer for peer, _ in allowed(rendered, "egress", peers(rendered)[name]))


def test_names_are_looked_up_and_metrics_are_read(rendered: Overlay) -> None:
    namespaces = {
        (name, peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port)
        for name in PARTS
        for direction in ("egress", "ingress")
        for peer, ports in allowed(rendered, direction, peers(rendered)[name])
        if "namespaceSelector" in peer
        for port in ports
    }
    assert namespaces == {
        (name, namespace, port) for name in PARTS for namespace, port in (("kube-system", 53), ("monitoring", "admin"))
    }
