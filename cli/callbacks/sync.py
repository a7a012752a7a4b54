"""Compare a company's registrations with the wanted ones, and carry the difference out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cli.callbacks.probe import Probe, probe_all
from cli.callbacks.urls import is_ingest_url, key_hash, secrets_of
from cli.registrations import Action, Step, as_update, plan
from cli.vibes_account import Account, in_parentheses, told, vibes_says
from schemas.errors import ServiceError
from vibes_api import CallbackSpec, NotFound, Rejected, Unavailable, VibesError

_ORDER = (Action.KEEP, Action.UPDATE, Action.CREATE, Action.CANCEL)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan for one company, and what the URLs that would get new callbacks answered."""

    company_key: str
    steps: Sequence[Step]
    probes: Mapping[str, Probe]
    unknown_keys: frozenset[str] = field(repr=False)
    """URLs whose key is not in the companies file: ingest would take no callback there."""

    @property
    def to_do(self) -> list[Step]:
        """The steps that change something."""
        return [step for step in self.steps if step.action is not Action.KEEP]

    @property
    def dead(self) -> list[str]:
        """The URLs nobody answers at."""
        return [url for url, probe in self.probes.items() if not probe.live]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step. `problem` is None when it was done."""

    step: Step
    problem: str | None = None


async def propose(account: Account, wanted: Sequence[CallbackSpec], *, prune: bool) -> Proposal:
    """Read what is registered, compare, and ask the URLs that would get new callbacks whether they are there.

    Raises VibesError, and ServiceError when Vibes lists a registration that has no id.
    """
    present = await account.client.callbacks.list()
    if any(registration.callback_id is None for registration in present):
        raise ServiceError("Vibes lists a registration without a callback_id, so it cannot be changed; ask Vibes")
    steps = plan(wanted, present, prune=prune, now=datetime.now(UTC))
    ours = {endpoint.key_sha256 for endpoint in account.company.endpoints}
    return Proposal(
        account.company.company_key,
        steps,
        await probe_all(step.wanted.url for step in steps if step.begins and step.wanted),
        frozenset(spec.url for spec in wanted if is_ingest_url(spec.url) and key_hash(spec.url) not in ours),
    )


async def carry_out(account: Account, steps: Sequence[Step]) -> list[Result]:
    """Carry the steps out: updates, then new ones, then cancellations.

    A step Vibes refuses does not stop the others, but for the cancellations: nothing is ended while its successor may
    be missing. Trouble with Vibes itself ends it all. Whatever was not done is planned again by the next run.
    """
    results: list[Result] = []
    stopped: str | None = None
    for step in sorted(steps, key=lambda step: _ORDER.index(step.action)):
        failed = any(result.problem for result in results)
        if stopped or (failed and step.action is Action.CANCEL):
            results.append(Result(step, stopped or "left, because another step failed"))
            continue
        try:
            await _do(account, step)
        except Rejected as error:
            words = vibes_says(error, _secrets(step))
            results.append(Result(step, f"refused by Vibes ({error.status}){in_parentheses(words)}"))
        except VibesError as error:
            stopped = "not tried, because of the trouble before"
            doubt = "; perhaps it is done: run sync again, it compares first" if isinstance(error, Unavailable) else ""
            results.append(Result(step, f"{told(error, account.company)}{doubt}"))
        else:
            results.append(Result(step))
    return results


async def _do(account: Account, step: Step) -> None:
    callbacks, callback_id = account.client.callbacks, (step.present and step.present.callback_id) or ""
    spec = as_update(step)
    if step.action is Action.CREATE and spec is not None:
        await callbacks.register(spec)
    elif step.action is Action.UPDATE and spec is not None:
        await callbacks.update(callback_id, spec)
    elif step.action is Action.CANCEL:
        try:
            await callbacks.cancel(callback_id)
        except NotFound:
            return  # it ended meanwhile, which is what is wanted


def _secrets(step: Step) -> list[str]:
    urls = (step.wanted and step.wanted.url, step.present and step.present.destination_url)
    return [secret for url in urls for secret in secrets_of(url or None)]
