"""Which replies are findings. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.abuse.attempts import CLOSED, Attempt
from tests.chaos.abuse.wire import Reply

_MOST_KEPT = 40
_BUSY_SHARE = 0.02
"""Of what could be stored, so much may be told to come again: a busy machine, on which callbacks wait too long."""


@dataclass
class Verdicts:
    """What came of all attempts so far."""

    requests: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)
    found: int = 0
    """Of the findings only the first are kept."""
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    receipts: dict[str, tuple[int, bytes | None]] = field(default_factory=dict)
    """By receipt: the number of the attempt, and what has to be stored under it, as far as that is known."""
    come_again: Counter[str] = field(default_factory=Counter)
    """Requests that could be stored and were answered 503, by kind."""
    storable: int = 0
    slowest: float = 0.0

    def judge(self, number: int, attempt: Attempt, reply: Reply) -> None:
        """Look at what came back to an attempt."""
        self.requests += max(1, attempt.answers)
        self.kinds[attempt.kind] += max(1, attempt.answers)
        self.slowest = max(self.slowest, reply.seconds)
        for position, answer in enumerate(reply.answers):
            self.statuses[_name(answer.status)] += 1
            if answer.receipt:
                self._note_receipt(number, attempt, answer.receipt, position)
        if problem := self._problem(attempt, reply):
            self.note(problem, number=number, attempt=attempt)

    def note(self, problem: str, *, number: int | None = None, attempt: Attempt | None = None) -> None:
        """Add a finding."""
        self.found += 1
        if len(self.findings) < _MOST_KEPT:
            finding: dict[str, Any] = {"problem": problem}
            if attempt is not None:
                sent = b"".join(attempt.pieces)
                finding |= {"attempt": number, "kind": attempt.kind, "sent": repr(sent[:600]), "bytes": len(sent)}
            self.findings.append(finding)

    def conclude(self) -> None:
        """Look at them all together."""
        if self.come_again.total() > max(5.0, _BUSY_SHARE * self.storable):
            self.note(f"of {self.storable} requests that could be stored were answered 503: {dict(self.come_again)}")

    def _note_receipt(self, number: int, attempt: Attempt, receipt: str, position: int) -> None:
        if receipt in self.receipts:
            self.note(f"two answers with one receipt, {receipt}", number=number, attempt=attempt)
        stored = attempt.bodies[position] if position < len(attempt.bodies) else None
        self.receipts[receipt] = number, stored

    def _problem(self, attempt: Attempt, reply: Reply) -> str | None:
        could_be_stored = attempt.allowed == {202}
        self.storable += could_be_stored * attempt.answers
        for answer in reply.answers:
            if answer.status == 503:
                self.come_again[attempt.kind] += could_be_stored
            elif answer.status is None:
                if CLOSED not in attempt.allowed:
                    return f"no answer within {attempt.patience:g} s"
            elif answer.status not in attempt.allowed:
                return f"answered {_name(answer.status)}, allowed is {sorted(map(_name, attempt.allowed))}"
            elif (answer.status == 202) != bool(answer.receipt) and attempt.kind != "crm":
                return "a 202 without a receipt, or a receipt without a 202"
        return None


def _name(status: int | None) -> str:
    return "no answer" if status is None else "closed" if status == CLOSED else str(status)
