"""apply acks a batch before it is committed."""

from typing import Any

from cli.main import main
from workers.apply.batches import Batch
from workers.apply.pipeline import Pipeline


async def _deal_with(self: "Pipeline[Any]", batch: Batch[Any], _before: object) -> None:
    await batch.ack()
    await self._settle(batch)


if __name__ == "__main__":
    Pipeline._deal_with = _deal_with  # type: ignore[method-assign, assignment]  # the mutation
    main()
