"""How long what is kept. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from runtime.settings import PREFIX, Settings
from schemas.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Policy:
    """How long what is kept; None: for ever."""

    bodies: timedelta | None = None
    """Whole bodies in the log, the outcome of each callback, dead letters that are dealt with."""
    evidence: timedelta | None = None
    """What of the log outlives bodies: opt-ins, opt-outs, and what views of current state are made of."""
    ledger: timedelta | None = None
    """The dedupe keys."""
    api_calls: timedelta | None = None
    """The record of calls to the Person API."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the configured policy. Raises ConfigurationError when evidence would go before bodies."""
        policy = cls(
            _days(settings.keep_bodies_days),
            _days(settings.keep_evidence_days),
            _days(settings.keep_ledger_days),
            _days(settings.keep_api_calls_days),
        )
        if policy.evidence is not None and (policy.bodies is None or policy.bodies > policy.evidence):
            raise ConfigurationError(
                f"{PREFIX}KEEP_EVIDENCE_DAYS: evidence of consent is in the bodies, which are to be kept for longer; "
                f"set {PREFIX}KEEP_BODIES_DAYS to as many days or fewer"
            )
        return policy


def before(now: datetime, kept: timedelta | None) -> datetime | None:
    """Return from when on everything is kept; None: everything is."""
    return None if kept is None else now - kept


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
