"""What a simulator is told at its start. Everything but the companies has a default."""

from dataclasses import dataclass, field, fields

from simulator.errors import UnprocessableError
from simulator.scenario.population import CUSTOM_FIELDS


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How callbacks are delivered.

    Vibes publishes neither its number of tries nor their spacing nor the length of a "downed" pause for the platform;
    the one published timeout is 2 seconds, and an older product tries six times, five minutes apart. The tries are the
    same here and the times shorter. `retry_delays` are seconds; the last one is used from then on.
    """

    timeout_seconds: float = 2.0
    retry_delays: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    max_attempts: int = 6
    downed_after: int = 20
    downed_seconds: float = 2.0
    concurrency: int = 64

    def __post_init__(self) -> None:
        if not self.retry_delays or min(self.retry_delays) < 0:
            raise UnprocessableError("retry_delays must hold seconds, such as [0.5, 1]")
        for name in ("timeout_seconds", "max_attempts", "downed_after", "concurrency"):
            if getattr(self, name) <= 0:
                raise UnprocessableError(f"{name} must be positive")

    def delay_after(self, attempt: int) -> float:
        """Seconds to wait after the n-th attempt has failed."""
        return self.retry_delays[min(attempt, len(self.retry_delays)) - 1]


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """How often the platform API misbehaves: chances between 0 and 1, independent of the caller.

    Errors and 429s come before a write is done. Hangs, resets and wrong bodies (no JSON, or JSON that is no such
    record, with the right status) come after it: the caller cannot know. A slow answer is late by `latency_seconds`,
    and a hanging one never comes, until `hang_seconds` have passed and the connection is cut. `empty_error_bodies`
    makes 404 and 409 come without a body, as an old guide of Vibes says they do.

    Where Vibes' documents contradict each other the other reading can be had: `known_mdn_conflicts` answers 409 to a
    POST with a number somebody has, instead of merging (200); `unknown_external_id_is_404` answers that to a PUT to an
    external id nobody has, instead of adding the person (201).
    """

    error_rate: float = 0.0
    too_many_requests_rate: float = 0.0
    latency_rate: float = 0.0
    latency_seconds: float = 0.0
    hang_rate: float = 0.0
    hang_seconds: float = 60.0
    reset_rate: float = 0.0
    wrong_body_rate: float = 0.0
    empty_error_bodies: bool = False
    known_mdn_conflicts: bool = False
    unknown_external_id_is_404: bool = False

    def __post_init__(self) -> None:
        for name in (setting.name for setting in fields(self)):
            if name.endswith("_rate") and not 0 <= getattr(self, name) <= 1:
                raise UnprocessableError(f"{name} must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class CompanyConfig:
    """One company: its credentials, and the URL its callbacks go to unless a registration says otherwise."""

    company_key: str
    username: str
    password: str = field(repr=False)
    callback_url: str | None = field(default=None, repr=False)
    custom_fields: tuple[str, ...] = CUSTOM_FIELDS
    lists: int = 2


@dataclass(frozen=True, slots=True)
class Config:
    """A whole simulator. `rate_limit` is requests a second for each company. Port 0 takes a free port."""

    companies: tuple[CompanyConfig, ...]
    seed: int = 1
    rate_limit: int = 100
    host: str = "127.0.0.1"
    port: int = 0
    delivery: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    faults: FaultSettings = field(default_factory=FaultSettings)
