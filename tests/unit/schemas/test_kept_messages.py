"""Broker messages outlive the release that wrote them: what a release before this one wrote is read as it was meant."""

import json
from pathlib import Path

import pytest

from schemas import broker_message, crm_message, person_due
from schemas.errors import LaterVersionError, MessageError
from schemas.versions import check_version
from tests.support.kept_messages import CALLBACKS, CHANGES, DIRECTORY, DUE, OUTCOMES, REPORT, encoded
from workers.apply.reading import read_message

READERS = {
    "callbacks": (broker_message.decode, CALLBACKS),
    "callbacks-report": (broker_message.decode, REPORT),
    "crm-changes": (crm_message.decode, CHANGES),
    "person-due": (person_due.decode, DUE),
}
KEPT = sorted(path for path in DIRECTORY.rglob("*") if path.is_file())


@pytest.mark.parametrize("file", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_kept_message_is_read_as_it_was_meant(file: Path) -> None:
    read, meant = READERS[file.name]
    assert read(file.read_bytes()) == meant


def test_there_are_messages_of_each_release_that_wrote_some() -> None:
    kept = {(path.parent.name, path.name) for path in KEPT}
    assert {name for release, name in kept if release == "0.1.0"} == {"callbacks", "callbacks-report", "person-due"}
    assert {name for release, name in kept if release == "unreleased"} == set(READERS) == set(encoded())


@pytest.mark.parametrize("file", [path for path in KEPT if path.name == "callbacks"], ids=lambda path: path.parent.name)
def test_the_callbacks_in_it_are_read_too(file: Path) -> None:
    message = read_message(broker_message.decode(file.read_bytes()), lambda _company: "US")
    problems = [callback.problem and callback.problem.reason for callback in message.callbacks]
    assert problems == OUTCOMES
    assert [callback.event and callback.event.event_id for callback in message.callbacks] == ["e-1", "e-2", None, None]


@pytest.mark.parametrize("name", READERS)
def test_what_this_release_writes_is_what_was_kept_of_it(name: str) -> None:
    assert encoded()[name] == (DIRECTORY / "unreleased" / name).read_bytes(), (
        "the format has changed: the release before this one has to read it (docs/upgrades.md). If it does, "
        "python -m tests.support.kept_messages tests/data/messages/unreleased"
    )


# what other releases may add, and may not


@pytest.mark.parametrize("name", READERS)
def test_what_a_later_release_adds_to_a_message_does_no_harm(name: str) -> None:
    read, meant = READERS[name]
    head, newline, rest = encoded()[name].partition(b"\n")
    content = json.loads(head)
    content["from_the_future"] = {"a": [1]}
    for item in content.get("callbacks", []) + content.get("changes", []):
        item["from_the_future"] = None
    assert read(json.dumps(content).encode() + newline + rest) == meant


@pytest.mark.parametrize("name", READERS)
def test_a_later_version_is_told_apart_from_what_is_no_message_of_ours(name: str) -> None:
    read, _ = READERS[name]
    of = encoded()[name]
    with pytest.raises(LaterVersionError, match="unknown_version: this release reads version 1, the message has 2"):
        read(of.replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(MessageError, match="unknown_version") as caught:
        read(of.replace(b'"version":1', b'"version":0', 1))
    assert not isinstance(caught.value, LaterVersionError)


@pytest.mark.parametrize("told", [None, True, "2", "+15551230001", [2], {"a": 1}, 2.0, -1])
def test_a_version_that_is_no_later_one_blames_the_message_and_is_not_quoted(told: object) -> None:
    with pytest.raises(MessageError, match="unknown_version") as caught:
        check_version(told, 1)
    assert not isinstance(caught.value, LaterVersionError)
    assert "+1555" not in str(caught.value)
