"""Acquisition campaigns: what participants sign up through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vibes_api import routes
from vibes_api.errors import NotFound
from vibes_api.values import JsonObject, JsonValue, as_object, as_objects, first_text, inner, text

if TYPE_CHECKING:
    from vibes_api.answers import Answer
    from vibes_api.transport import Transport


@dataclass(frozen=True, slots=True)
class AcquisitionCampaign:
    """A campaign. `status` is lower case: scheduled, active, deleted, past (Vibes' samples vary in case)."""

    acquisition_id: str | None
    description: str | None
    campaign_type: str | None
    status: str | None
    start_date: str | None
    end_date: str | None
    keywords: tuple[str, ...]
    raw: JsonObject = field(repr=False)

    @classmethod
    def from_json(cls, data: JsonValue) -> AcquisitionCampaign:
        """Read a campaign entity; ShapeError when it is not an object."""
        source = as_object(data)
        status = text(source.get("status"))
        keywords = inner(source, "acquisition_campaign").get("keywords")
        listed = keywords if isinstance(keywords, Sequence) and not isinstance(keywords, str) else [keywords]
        return cls(
            acquisition_id=first_text(source, "acquisition_id", "id"),
            description=text(source.get("description")),
            campaign_type=text(inner(source, "campaign_type").get("code")),
            status=status.lower() if status else None,
            start_date=text(source.get("start_date")),
            end_date=text(source.get("end_date")),
            keywords=tuple(word for item in listed if (word := text(item)) is not None),
            raw=source,
        )


class Campaigns:
    """`client.campaigns`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> Sequence[AcquisitionCampaign]:
        """Return the campaigns, none to 50: Vibes answers with no more and has no paging."""
        try:
            return await self._transport.call(routes.LIST_CAMPAIGNS, _campaigns)
        except NotFound:
            return []

    async def get(self, acquisition_id: str) -> AcquisitionCampaign:
        """Return one campaign. NotFound if unknown."""
        ids = {"acquisition_id": acquisition_id}
        return await self._transport.call(routes.GET_CAMPAIGN, _campaign, ids=ids)


def _campaign(answer: Answer) -> AcquisitionCampaign:
    return AcquisitionCampaign.from_json(answer.data)


def _campaigns(answer: Answer) -> Sequence[AcquisitionCampaign]:
    return [AcquisitionCampaign.from_json(item) for item in as_objects(answer.data)]
