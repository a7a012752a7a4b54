"""Which faults share a world, and one world after the other."""

from collections.abc import Iterable, Sequence

from rich.console import Console

from tests.chaos.engine import company_key_of, run_fault
from tests.chaos.fault import Fault, Needs
from tests.chaos.report import FaultReport, Report
from tests.chaos.world import World

_TRIES_IN_QUICK = 1


async def run_all(faults: Sequence[Fault], report: Report, console: Console) -> None:
    """Run faults, several in one world where they can be; the reports come in the order of the matrix."""
    reports: dict[str, FaultReport] = {}
    try:
        for needs, group in share_worlds(faults, sparing=report.quick):
            await _run_group(needs, group, report, console, reports)
    finally:
        report.faults = [reports[fault.name] for fault in faults if fault.name in reports]


def share_worlds(faults: Iterable[Fault], *, sparing: bool) -> list[tuple[Needs, list[Fault]]]:
    """Return groups of faults that can have one world after each other, and what such a world needs.

    They share one if they need the same; `sparing`: if there can be one with what all of them need.
    """
    groups: list[tuple[Needs, list[Fault]]] = []
    for fault in faults:
        needs = fault.needs()
        for place, (others, group) in enumerate(groups):
            joined = others.joined(needs)
            if joined is not None and (sparing or others == needs):
                groups[place] = (joined, [*group, fault])
                break
        else:
            groups.append((needs, [fault]))
    return groups


async def _run_group(
    needs: Needs, faults: Sequence[Fault], report: Report, console: Console, reports: dict[str, FaultReport]
) -> None:
    rest = list(faults)
    while rest:
        async with World(needs, [company_key_of(fault) for fault in rest], report.seed) as world:
            while rest:
                fault = rest.pop(0)
                times = _TRIES_IN_QUICK if report.quick else fault.injections
                came = reports[fault.name] = await run_fault(world, fault, report.seed, times)
                console.print(
                    f"{'ok  ' if came.ok else 'FAIL'} {came.name}: {came.acknowledged} acknowledged, {came.lost} lost, "
                    f"{came.double} double, {came.diverged} diverged, {came.seconds:.0f} s",
                    markup=False,
                )
                if not came.ok:  # what went wrong must not go on in the next one
                    break
