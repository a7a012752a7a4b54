"""The broker messages that are kept in tests/data/messages, as their contents.

`python -m tests.support.kept_messages DIRECTORY` writes them with the release at hand. A directory is named after the
release that wrote it and never changes afterwards; `unreleased` is what this code writes, and gets its name when it is
released.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from schemas import broker_message, crm_message, person_due
from schemas.broker_message import CallbackMessage, ReceivedCallback
from schemas.crm_change import CrmChange
from schemas.crm_message import CrmMessage
from schemas.person_due import PersonDue

DIRECTORY = Path(__file__).parents[1] / "data" / "messages"
_ID = UUID("018f3c1a-0000-7000-8000-000000000001")
_MOMENT = datetime(2024, 3, 1, 12, 30, 15, 123456, UTC)
_OPT_IN = (
    b'{"event_id":"e-1","callback_type":"subscription_added","event_date":"2024-03-01T12:30:14Z","subscription":'
    b'{"person":{"id":"P1","person_key":"K1"},"subscription_list":{"id":"L1"},"opt_in_date":"2024-03-01T12:30:14Z"}}'
)
_PERSON = bytes.fromhex(
    "1f8b0800000000000203ab564a2d4bcd2b89cf4c51b2524ad53552d2514a4eccc9494a4cce8e2fa92c48058a16a41615"
    "e7e7c59716a42496a4a60015400494acaa615260cd018670a9f8ecd44aa088b7a1526d2d1700973ea0d662000000"
)
"""`person_updated` of P1, K1 as event e-2, compressed: not made here, because no two zlibs compress alike."""


def _received(body: bytes, **headers: str) -> ReceivedCallback:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ReceivedCallback(body, _MOMENT, "192.0.2.7", "POST", "main", named)


CALLBACKS = CallbackMessage(
    _ID,
    "acme",
    "018f3c1a-0000-7000-8000-00000000feed",
    41,
    (
        _received(_OPT_IN, content_type="application/json", x_vibes_id="7"),
        _received(_PERSON, content_encoding="gzip"),
        _received(b'{"event_id":"e-3",\xff\x00'),
        _received(b""),
    ),
)
"""Read, read once it is unpacked, not read, and nothing at all."""
OUTCOMES = [None, None, "not_utf8", "empty"]
"""Why each of them cannot be read."""
REPORT = CallbackMessage(_ID, "acme", "018f3c1a-0000-7000-8000-00000000feed", 45, ())
"""Without callbacks: it tells how many were acknowledged."""
DUE = PersonDue("acme", UUID("00000000-0000-4000-8000-000000000001"))
CHANGES = CrmMessage(
    _ID,
    "acme",
    _MOMENT,
    True,
    [
        CrmChange("crm-1", _MOMENT, {"mdn": "+15551230001", "custom_fields.tier": "gold", "carrier_code": None}),
        CrmChange("crm-2", _MOMENT, {}),
    ],
)


def encoded() -> Mapping[str, bytes]:
    """Return each kind of message as this code writes it, by the name of its file."""
    return {
        "callbacks": broker_message.encode(CALLBACKS),
        "callbacks-report": broker_message.encode(REPORT),
        "crm-changes": crm_message.encode(CHANGES),
        "person-due": person_due.encode(DUE),
    }


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, message in encoded().items():
        (directory / name).write_bytes(message)


if __name__ == "__main__":
    main()
