"""A status for what is no terminal: one line for people and their tools, or JSON for programs. Pure."""

from dataclasses import asdict, fields
from typing import Any

import orjson

from cli.status.attention import attention
from cli.status.figures import as_rate, or_dash, reckon
from cli.status.gather import Status
from cli.status.view import Looks


def as_line(looks: Looks) -> str:
    """Return the most telling figures in one line, by `name=value`; a dash for what could not be asked."""
    status = looks.now
    rates = [looks.applied_per_second(account) for account in status.accounts]
    known = [rate for rate in rates if rate is not None]
    letters = sum(row["letters"] for row in status.dead_letters)
    asked_postgres = not any(problem.startswith("DATABASE_URL") for problem in status.problems)
    figures = {
        "acknowledged": _sum(status.accounts, "acknowledged"),
        "applied": _sum(status.accounts, "applied"),
        "applied_per_second": or_dash(sum(known) if known else None, as_rate).replace(",", ""),
        "missing": _sum(status.accounts, "missing"),
        "messages": sum(depth.messages or 0 for depth in status.queues) if status.queues else "-",
        "dead_letters_open": letters if asked_postgres else "-",
        "syncs_pending": sum(row["pending"] for row in status.sync_backlog) if asked_postgres else "-",
        "conflicts": sum(row["conflicts"] for row in status.sync_backlog) if asked_postgres else "-",
    }
    told = " ".join(f"{name}={value}" for name, value in figures.items())
    concerns = attention(status)
    return f"{status.at:%FT%TZ} {told}" + (f" attention={'; '.join(concerns)}" if concerns else "")


def as_json(looks: Looks, *, indent: bool) -> str:
    """Return all of it as one JSON object, on one line unless it is to be indented."""
    options = orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(_told(looks), option=options).decode()


def _told(looks: Looks) -> dict[str, Any]:
    status = looks.now
    told = {each.name: getattr(status, each.name) for each in fields(Status) if each.name != "processes"}
    told["processes"] = [
        {
            "address": process.address,
            "part": process.part,
            "version": process.version,
            "ready": process.ready,
            "problem": process.problem,
            "figures": reckon(process.part, looks.change(process)) if process.part else {},
        }
        for process in status.processes
    ]
    told["accounts"] = [asdict(account) for account in status.accounts]
    told["queues"] = [asdict(depth) for depth in status.queues]
    return {**told, "attention": attention(status)}


def _sum(accounts: list[Any], name: str) -> int | str:
    return sum(getattr(account, name) for account in accounts) if accounts else "-"
