"""What is in a dead letter, read by the code as it is now. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from schemas.broker_message import CallbackMessage, ReceivedCallback, decode
from schemas.errors import MessageError
from workers.apply.crm_reading import ReadChange, ReadChanges, read_changes, read_written_form
from workers.apply.reading import ReadCallback, ReadMessage, read_message
from workers.replay.letters import CRM_STAGE, WHOLE_MESSAGE, Letter

CountryOf = Callable[[str], str | None]
"""Tells a company's default phone country."""


@dataclass(frozen=True, slots=True)
class ReadLetter:
    """A dead letter and what is in it: a callback, a change of the CRM, a broker message of either, or nothing."""

    letter: Letter
    content: ReadCallback | ReadChange | ReadMessage | ReadChanges | None = field(repr=False)
    problem: MessageError | None = None
    """Why nothing could be read."""

    @property
    def is_message(self) -> bool:
        """Whether it is a whole broker message, each part of which comes to something of its own."""
        return isinstance(self.content, ReadMessage | ReadChanges)

    @property
    def is_change(self) -> bool:
        """Whether it is a change of the CRM."""
        return self.letter.stage == CRM_STAGE

    @property
    def company_key(self) -> str | None:
        """Whose it is; None: nobody knows."""
        if isinstance(self.content, ReadMessage | ReadChanges):
            return self.content.message.company_key
        return self.letter.company_key

    @property
    def size(self) -> int:
        """How many callbacks or changes it is."""
        if isinstance(self.content, ReadMessage):
            return len(self.content.callbacks)
        return len(self.content.changes) if isinstance(self.content, ReadChanges) else 1


def read_letter(letter: Letter, country_of: CountryOf) -> ReadLetter:
    """Read a letter; whatever is wrong with it is told by the result."""
    if letter.position == WHOLE_MESSAGE or letter.message_id is None or letter.company_key is None:
        return _read_whole(letter, country_of)
    receipt = (letter.message_id, letter.position or 0)
    received_at = letter.received_at or datetime.now(UTC)
    if letter.stage == CRM_STAGE:
        try:
            change = read_written_form(receipt, letter.company_key, received_at, letter.body)
        except MessageError as error:
            return ReadLetter(letter, None, error)
        return ReadLetter(letter, change, change.problem)
    callback = _read_callback(letter, receipt, letter.company_key, received_at, country_of)
    return ReadLetter(letter, callback, callback.problem)


def _read_callback(
    letter: Letter, receipt: tuple[UUID, int], company_key: str, received_at: datetime, country_of: CountryOf
) -> ReadCallback:
    received = ReceivedCallback(
        body=letter.body,
        received_at=received_at,
        source_ip=letter.source_ip or "",
        method=letter.method or "",
        endpoint=letter.endpoint or "",
        headers=letter.headers,
    )
    # Read as part of a message of its own, as every other; then it gets its old receipt back.
    (callback,) = read_message(CallbackMessage(receipt[0], company_key, "", 0, (received,)), country_of).callbacks
    return callback._replace(receipt=receipt)


def _read_whole(letter: Letter, country_of: CountryOf) -> ReadLetter:
    """Read a broker message that could not be read then, of callbacks or of changes of the CRM."""
    problems = []
    try:
        return ReadLetter(letter, read_message(decode(letter.body), country_of))
    except MessageError as error:
        problems.append(error)
    try:
        return ReadLetter(letter, read_changes(letter.body))
    except MessageError as error:
        problems.append(error)
    same = [problem for problem in problems if problem.reason == letter.reason]
    return ReadLetter(letter, None, (same or problems)[0])
