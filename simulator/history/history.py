"""A history, put together: the messages to apply, and the ledger to check them with."""

from collections.abc import Callable, Iterable, Iterator

from schemas.broker_message import CallbackMessage
from simulator.history.delivery import Delivery, deliver
from simulator.history.ledger import Tally, Totals, closing_lines, totals
from simulator.history.messages import publish
from simulator.history.spec import HistorySpec
from simulator.history.stage import HistoryStage
from simulator.history.story import Story
from simulator.mobiledb import MobileDB
from simulator.model import JsonObject
from simulator.seeds import seeded


class History:
    """A history that is told once, by `messages`.

    Afterwards `db` is the MobileDB at its end and `tally` counts what came. `note` is given each delivery as it is
    made, for a ledger that is too long for memory.
    """

    def __init__(self, spec: HistorySpec, note: Callable[[Delivery], None] | None = None) -> None:
        self.spec = spec
        self.tally = Tally()
        self._note = note
        self._stage = HistoryStage(spec)
        self._story = Story(self._stage)

    @property
    def db(self) -> MobileDB:
        """Everything Vibes knows about the company at the moment that was told last."""
        return self._stage.db

    def messages(self) -> Iterator[CallbackMessage]:
        """Yield the broker messages, in order of receipt; each source of chance has its own generator."""
        spec = self.spec
        deliveries = deliver(self._story.tell(), spec, seeded(spec.seed, spec.ingest_id, "delivery"))
        return publish(self._noted(deliveries), spec, seeded(spec.seed, spec.ingest_id, "messages"))

    def ledger(self) -> Iterator[JsonObject]:
        """Yield what the ledger holds beside deliveries: lists, campaigns, broadcasts, persons, stays."""
        return closing_lines(self.spec, self._stage, self._story.sent)

    def totals(self) -> Totals:
        """Return what the history came to, once all messages were told."""
        return totals(self.tally, self.db)

    def _noted(self, deliveries: Iterable[Delivery]) -> Iterator[Delivery]:
        for delivery in deliveries:
            self.tally.note(delivery)
            if self._note is not None:
                self._note(delivery)
            yield delivery
