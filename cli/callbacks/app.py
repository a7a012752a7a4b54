"""The commands of `vibes-pipeline callbacks`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.callbacks.file import load_specs
from cli.callbacks.inputs import (
    DATE_HELP,
    URL_HELP,
    CallbackId,
    Insecure,
    Json,
    Parameters,
    Type,
    checked,
    checked_url,
    pairs,
)
from cli.callbacks.parameters import known, read_type
from cli.callbacks.recorded_tests import send, send_recorded
from cli.callbacks.specs import ContentType, Method, make_spec
from cli.callbacks.sync import Proposal, Result, carry_out, propose
from cli.callbacks.testing import check_test_data
from cli.callbacks.views import as_json, describe, plan_json, print_plan, print_registrations, registration_json
from cli.vibes_account import Account, CompanyKey, with_account
from schemas.errors import ConfigurationError, ServiceError
from vibes_api import NotFound, Registration

callbacks_app = typer.Typer(help="Which events Vibes sends to which URL (the Callback API).", no_args_is_help=True)


@callbacks_app.command()
def register(
    callback_type: Type,
    url: Annotated[str, typer.Option(help=URL_HELP)],
    parameter: Parameters = None,
    method: Annotated[Method, typer.Option(help="How the callbacks come.")] = "POST",
    content_type: Annotated[ContentType, typer.Option(help="How the callbacks are labelled.")] = "application/json",
    start_date: Annotated[str | None, typer.Option(help=f"Fires from then on; at once without it. {DATE_HELP}")] = None,
    end_date: Annotated[str | None, typer.Option(help=f"Fires until then; for good without it. {DATE_HELP}")] = None,
    company: CompanyKey = None,
    allow_insecure: Insecure = False,
    json: Json = False,
) -> None:
    """Register a URL for the callbacks of a type. The endpoint should be live already: see `callbacks sync`."""
    spec = checked(
        lambda: make_spec(
            callback_type,
            pairs(parameter),
            checked_url(url, allow_insecure=allow_insecure),
            method=method,
            content_type=content_type,
            start_date=start_date,
            end_date=end_date,
        )
    )
    _show_one(with_account(company, lambda account: account.client.callbacks.register(spec)), json=json)


@callbacks_app.command("list")
def list_all(company: CompanyKey = None, json: Json = False) -> None:
    """List the active and future registrations."""
    found = with_account(company, lambda account: account.client.callbacks.list())
    if json:
        print(as_json([registration_json(registration) for registration in found]))
    else:
        print_registrations(found)


@callbacks_app.command()
def get(callback_id: CallbackId, company: CompanyKey = None, json: Json = False) -> None:
    """Show one registration."""
    _show_one(with_account(company, lambda account: _get(account, callback_id)), json=json)


@callbacks_app.command()
def update(
    callback_id: CallbackId,
    url: Annotated[str | None, typer.Option(help=URL_HELP)] = None,
    parameter: Parameters = None,
    method: Annotated[Method | None, typer.Option(help="How the callbacks come.")] = None,
    content_type: Annotated[ContentType | None, typer.Option(help="How the callbacks are labelled.")] = None,
    start_date: Annotated[str | None, typer.Option(help=DATE_HELP)] = None,
    end_date: Annotated[str | None, typer.Option(help=DATE_HELP)] = None,
    company: CompanyKey = None,
    allow_insecure: Insecure = False,
    json: Json = False,
) -> None:
    """Change a registration; what is not named stays. Without options: have its numbers sent in E.164 (version 2)."""
    given: dict[str, Any] = {
        "method": method,
        "content_type": content_type,
        "start_date": start_date,
        "end_date": end_date,
    }
    new_url = None if url is None else checked(lambda: checked_url(url, allow_insecure=allow_insecure))
    new_parameters = checked(lambda: pairs(parameter))

    async def change(account: Account) -> Registration | None:
        present = await _get(account, callback_id)
        fields = {name: value or getattr(present, name) for name, value in given.items()}
        present_type = checked(lambda: read_type(present.callback_type))
        spec = checked(
            lambda: make_spec(
                present_type,
                {**known(present_type, present.parameters), **new_parameters},
                new_url or present.destination_url or "",
                **{name: value for name, value in fields.items() if value is not None},
            )
        )
        return await account.client.callbacks.update(callback_id, spec)

    _show_one(with_account(company, change), json=json)


@callbacks_app.command()
def cancel(callback_id: CallbackId, company: CompanyKey = None, json: Json = False) -> None:
    """End a registration now. Events from then on are not kept for you: Vibes cannot replay them."""

    async def end(account: Account) -> Registration | None:
        try:
            return await account.client.callbacks.cancel(callback_id)
        except NotFound:
            raise _unknown(callback_id) from None

    _show_one(with_account(company, end), json=json)


@callbacks_app.command("test")
def send_test(
    callback_type: Type,
    data: Annotated[str | None, typer.Option(help="JSON object laid over the sample values; dummy data only.")] = None,
    apply_as_fact: Annotated[
        bool,
        typer.Option(
            "--apply-as-fact",
            help="Do not record it, so no database is needed: whoever applies it takes the dummy data for a fact.",
        ),
    ] = False,
    company: CompanyKey = None,
    json: Json = False,
) -> None:
    """Have Vibes send a test event to the active registrations of a type. It changes nothing at Vibes, nor here.

    It is recorded in the database, so that apply logs it as a test. While Vibes is asked, apply waits.
    """
    body = checked(lambda: check_test_data(callback_type, data))

    async def request(account: Account) -> dict[str, str | None]:
        queued = await (send if apply_as_fact else send_recorded)(account, callback_type, body)
        return {"callback_type": callback_type, "event_id": queued.event_id, "message": queued.message}

    sent = with_account(company, request)
    print(as_json(sent) if json else f"Vibes sends a test event of type {callback_type}: event_id {sent['event_id']}")


@callbacks_app.command()
def sync(
    file: Annotated[Path, typer.Argument(help="TOML file with the wanted [[registrations]].", dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Cancel what is not in the file.")] = False,
    company: CompanyKey = None,
    allow_insecure: Insecure = False,
    json: Json = False,
) -> None:
    """Make the registrations those of a file: show the plan, ask, carry it out."""
    if json and not (yes or dry_run):
        raise ConfigurationError("--json leaves no room for a question: add --yes or --dry-run")
    wanted = load_specs(file, os.environ, allow_insecure=allow_insecure)
    proposal = with_account(company, lambda account: propose(account, wanted, prune=prune))
    if not json:
        print_plan(proposal)
    results = None
    if not (dry_run or proposal.dead) and (not proposal.to_do or yes or _agreed()):
        results = with_account(company, lambda account: carry_out(account, proposal.to_do))
    if json:
        print(as_json(plan_json(proposal, results)))
    _conclude(proposal, results, quiet=json, dry_run=dry_run)


def _agreed() -> bool:
    try:
        return typer.confirm("Carry this out?", err=True)
    except typer.Abort:
        return False


def _conclude(proposal: Proposal, results: list[Result] | None, *, quiet: bool, dry_run: bool) -> None:
    """Say how a sync went. Raises ServiceError (exit code 1) when it did not do what the file says."""
    if proposal.dead:
        raise ServiceError(
            f"{len(proposal.dead)} URL(s) are not live (see the plan), and nothing was changed: put an endpoint live "
            "before you register it, for every callback it misses is lost"
        )
    failed = [result for result in results or () if result.problem]
    if failed:
        raise ServiceError(
            "\n".join(["not everything was done:", *(f"  {describe(r.step)}: {r.problem}" for r in failed)])
        )
    if results is None and not dry_run:
        raise ServiceError("nothing was changed (--yes carries a plan out without asking)")
    if not quiet:
        print("nothing was changed: a dry run" if results is None else f"done: {len(results)} changed")


async def _get(account: Account, callback_id: str) -> Registration:
    try:
        return await account.client.callbacks.get(callback_id)
    except NotFound:
        raise _unknown(callback_id) from None


def _unknown(callback_id: str) -> ServiceError:
    return ServiceError(f"no registration has the id {callback_id}: `vibes-pipeline callbacks list` shows them")


def _show_one(registration: Registration | None, *, json: bool) -> None:
    if json:
        print(as_json(registration and registration_json(registration)))
    elif registration is None:
        print("done; Vibes told no details, `vibes-pipeline callbacks list` shows them")
    else:
        print_registrations([registration])
