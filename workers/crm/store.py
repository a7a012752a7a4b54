"""Fold changes of the CRM into crm_persons, and ask for what follows, inside a transaction of the caller's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from runtime.companies import Company
from runtime.postgres import Connection, statement
from workers.crm.fold import Record, alters, fold
from workers.crm.row import record_in, row_of
from workers.sync_requests import request_writes

_NOBODY: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One change of one record, as it was received."""

    external_person_id: str = field(repr=False)
    record: Record
    """What the change tells."""
    received_at: datetime
    bulk: bool
    """Whether an import sent it."""


@dataclass(frozen=True, slots=True)
class _Folded:
    """A record and the changes folded into it."""

    before: Record | None
    record: Record
    altering: Sequence[Told]
    """The changes that altered it, each seen after those before it."""


async def store(
    connection: Connection,
    company_key: str,
    company: Company | None,
    told: Iterable[Told],
    erased: Mapping[str, datetime] = _NOBODY,
) -> set[Told]:
    """Fold changes into the records of a company; return those that altered a record.

    Records that were altered are put into the outbox, if the company wants that. `company` None: it is no longer
    configured; its records are kept all the same. `erased`: persons who were erased, by external id; a change made
    until then does not bring them back.

    All records concerned are locked in the order of their keys, so several transactions may store at once. Raises what
    asyncpg raises.
    """
    by_record: dict[str, list[Told]] = {}
    for item in told:
        if not _is_erased(item, erased):
            by_record.setdefault(item.external_person_id, []).append(item)
    if not by_record:
        return set()
    country = company.default_country if company else None
    folded = {external: _fold_all(None, items) for external, items in by_record.items()}
    inserted = await connection.fetch(statement("insert_crm_persons"), company_key, *_columns(folded, country))
    known = sorted(by_record.keys() - {row["external_person_id"] for row in inserted})
    if known:
        # After the locks, so that what others wrote until then is seen.
        for row in await connection.fetch(statement("find_crm_persons"), company_key, known):
            external = row["external_person_id"]
            folded[external] = _fold_all(record_in(dict(row)), by_record[external])
        changed = {
            external: folded[external] for external in known if folded[external].record != folded[external].before
        }
        if changed:
            await connection.execute(statement("update_crm_persons"), company_key, *_columns(changed, country))
    if company is not None and company.has_api and company.sync.push_crm_changes:
        await _request_writes(connection, company, folded)
    return {item for record in folded.values() for item in record.altering}


def _is_erased(told: Told, erased: Mapping[str, datetime]) -> bool:
    erased_at = erased.get(told.external_person_id)
    return erased_at is not None and told.record.updated_at <= erased_at


def _fold_all(before: Record | None, told: Sequence[Told]) -> _Folded:
    record = before
    altering = []
    for item in told:
        after = item.record if record is None else fold(record, item.record)
        if alters(record, after):
            altering.append(item)
        record = after
    assert record is not None  # noqa: S101 - every record here has a change
    return _Folded(before, record, altering)


def _columns(folded: Mapping[str, _Folded], country: str | None) -> list[list[Any]]:
    """Return the records as arrays, one a column of the statements."""
    rows = [
        (external, *row_of(item.record, country), max((told.received_at for told in item.altering), default=None))
        for external, item in folded.items()
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def _request_writes(connection: Connection, company: Company, folded: Mapping[str, _Folded]) -> None:
    """Ask for what was altered; what an import alone has altered waits for what it did not."""
    altered = {external: all(told.bulk for told in item.altering) for external, item in folded.items() if item.altering}
    for bulk in (False, True):
        await request_writes(
            connection, company, [external for external in altered if altered[external] is bulk], bulk=bulk
        )
