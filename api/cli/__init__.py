"""The command ``xinqiao``. Each command imports what it needs when it runs, so that ``--help`` is quick.

No function here has the name of a module beside it: the one would hide the other.

A refusal is one sentence and exit status 2, never a traceback; 1 means that a check has found something.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.model import app as model_commands

if TYPE_CHECKING:
    from screening.core.settings import Settings

REFUSED, FOUND = 2, 1

app = typer.Typer(
    name="xinqiao",
    help="心桥 Xinqiao: school screening, intervention and two-way referral.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
db_commands = typer.Typer(
    help="Make, upgrade, check, back up and restore the database.", no_args_is_help=True
)
accounts_commands = typer.Typer(help="Accounts and their roles.", no_args_is_help=True)
organisations_commands = typer.Typer(help="Areas, schools, facilities.", no_args_is_help=True)
audit_commands = typer.Typer(help="The trail of who saw and did what.", no_args_is_help=True)
facilities_commands = typer.Typer(help="Facilities that receive referrals.", no_args_is_help=True)
outbox_commands = typer.Typer(help="Background work that was given up.", no_args_is_help=True)
instruments_commands = typer.Typer(
    help="Questionnaires: check a file of the district's own.", no_args_is_help=True
)
for _name, _group in (
    ("db", db_commands),
    ("accounts", accounts_commands),
    ("organisations", organisations_commands),
    ("facilities", facilities_commands),
    ("audit", audit_commands),
    ("outbox", outbox_commands),
    ("instruments", instruments_commands),
    ("model", model_commands),
):
    app.add_typer(_group, name=_name)


class Kind(StrEnum):
    """Kinds of organisation, as ``screening.models.organisation`` has them; a test compares the two."""

    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    SCHOOL = "school"
    FACILITY = "facility"
    HOTLINE = "hotline"
    SERVICE_SITE = "service_site"


OwnerUrl = Annotated[
    str | None,
    typer.Option(
        envvar="XINQIAO_OWNER_URL",
        show_default=False,
        help="PostgreSQL: address for the role that owns the tables. Better in the environment than typed.",
    ),
]
RoleName = Annotated[str, typer.Option("--role", help="for example counsellor, school_lead, sysadmin")]
At = Annotated[str, typer.Option("--at", help="code of the organisation")]
Reason = Annotated[str, typer.Option("--reason", help="who decided it and why; goes into the trail")]
Username = Annotated[str, typer.Argument(help="small letters, digits, dots and dashes")]


def settings() -> Settings:
    from screening.core.settings import Settings

    return Settings.read()


# --- the service -------------------------------------------------------------------------------------------


@app.command("serve")
def run_serve(
    demo: Annotated[bool, typer.Option("--demo", help="a made-up county in a directory of its own")] = False,
    host: Annotated[str, typer.Option(help="where to listen")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve pages and JSON, with the worker inside (unless XINQIAO_WORKER=alone)."""
    from api.cli.serve import serve as run

    run(settings(), demo=demo, host=host, port=port)


@app.command("work")
def run_work() -> None:
    """Run the worker alone, beside others. PostgreSQL only."""
    from api.cli.serve import work as run

    run(settings())


@app.command("doctor")
def run_doctor() -> None:
    """Is this machine, and what has been set up, fit for the service?"""
    from api.cli.doctor import Weight, examine
    from api.cli.words import say, sentence
    from screening.core.clock import Clock

    signs = examine(settings(), Clock(), probe=True)
    for sign in signs:
        say(f"{sign.weight.mark} {sentence(sign.message, **sign.params)}")
    if any(sign.weight is Weight.BAD for sign in signs):
        raise typer.Exit(FOUND)


@app.command("check")
def run_check(
    deep: Annotated[
        bool, typer.Option("--deep", help="open every stored file and walk the whole trail as well")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="say what is looked at and what cannot be, and look at nothing")
    ] = False,
) -> None:
    """Do the promises hold for what is stored? Prints ids only; runs beside a running service."""
    from api.cli.check import INVARIANTS, check_all
    from api.cli.home import opened
    from api.cli.words import _, say, sentence
    from screening.core.clock import Clock

    if explain:
        for invariant in INVARIANTS:
            say(f"{invariant.number:>2}  {sentence(invariant.promise)}")
            if invariant.remark:
                say(f"      {sentence(invariant.remark)}")
        return
    with opened(settings(), hold=False) as database, database.look() as session:
        findings = check_all(session, now=Clock().now(), deep=deep)
    for finding in findings:
        say(f"{finding.invariant:>2}  {sentence(finding.message)} {finding.count}")
        for thing in finding.ids:
            say(f"      {thing}")
    if findings:
        raise typer.Exit(FOUND)
    say(_("Every promise that can be checked holds."))


@app.command("import")
def run_import(
    file: Annotated[Path, typer.Argument(help="the school's workbook (.xlsx)")],
    campaign: Annotated[UUID, typer.Option("--campaign", help="id of the campaign")],
    username: Annotated[str, typer.Option("--as", help="user name of the person who imports")],
    good_rows: Annotated[
        bool, typer.Option("--good-rows", help="write the good rows although others have errors")
    ] = False,
) -> None:
    """Import a workbook: stage, review by Excel row and column, commit."""
    from api.cli.imports import run

    if not run(settings(), file=file, campaign_id=campaign, username=username, good_rows=good_rows):
        raise typer.Exit(REFUSED)


@app.command("score")
def run_score(
    code: Annotated[str, typer.Argument(help="the instrument, for example phq9")],
    answers: Annotated[
        Path,
        typer.Argument(
            help="CSV: columns 1 to n, extra items by name; id, sex, age, item_order if wanted; - is standard input"
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="where to write; otherwise the screen")
    ] = None,
    bands: Annotated[
        str | None, typer.Option("--bands", help="the band set to use instead of the default ones")
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="write the good rows and list the bad ones (exit status 1)")
    ] = False,
) -> None:
    """Score a CSV file of answers: one row out per row in, no database."""
    from api.cli.score import score as run

    run(code, answers, out, bands, keep_going)


@app.command("demo")
def run_demo(
    directory: Annotated[
        Path, typer.Option("--dir", help="where database, workbooks and notes are left; made here")
    ],
) -> None:
    """The main job without a server, on a made-up county: workbooks in, notes and a facility's answer out."""
    from api.cli.demo import run

    if not run(directory):
        raise typer.Exit(FOUND)


# --- the database ------------------------------------------------------------------------------------------


@instruments_commands.command("check")
def run_instruments_check(
    file: Annotated[Path, typer.Argument(help="a YAML file of the schema of instruments/library")],
) -> None:
    """Say all that is wrong with a questionnaire file and what its worked examples give (exit status 1 if not ready)."""
    from api.cli.instruments import check as run

    if not run(file):
        raise typer.Exit(FOUND)


@db_commands.command("init")
def init_db(owner_url: OwnerUrl = None) -> None:
    """Make the directory, the keys and an empty database."""
    from api.cli.db import init as run

    run(settings(), owner_url)


@db_commands.command("upgrade")
def upgrade_db(owner_url: OwnerUrl = None) -> None:
    """Bring the tables of an older version up to date. Make a backup first."""
    from api.cli.db import upgrade as run

    run(settings(), owner_url)


@db_commands.command("check")
def check_db() -> None:
    """Are the tables those of this version, and is the file sound?"""
    from api.cli.db import check as run

    if not run(settings()):
        raise typer.Exit(FOUND)


@db_commands.command("backup")
def backup_db(
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="a file or a directory; otherwise XINQIAO_BACKUP_TO, otherwise the current directory"
        ),
    ] = None,
    owner_url: OwnerUrl = None,
) -> None:
    """Write everything but the keys into one encrypted file, beside a running service."""
    from api.cli.backup import run_backup as run

    run(settings(), to=to, owner_url=owner_url)


@db_commands.command("restore")
def restore_db(
    file: Annotated[Path, typer.Argument(help="the backup")],
    check: Annotated[
        bool, typer.Option("--check", help="restore into a temporary place, look at everything, remove it")
    ] = False,
    into: Annotated[
        Path | None, typer.Option("--into", help="another home than that of the settings, on SQLite")
    ] = None,
    owner_url: OwnerUrl = None,
) -> None:
    """Bring a backup back into an empty home. Needs the key file of the service that made it."""
    from api.cli.backup import run_drill, run_restore

    if not check:
        run_restore(settings(), file=file, into=into, owner_url=owner_url)
    elif not run_drill(settings(), file=file, owner_url=owner_url):
        raise typer.Exit(FOUND)


# --- people and places -------------------------------------------------------------------------------------


@accounts_commands.command("create")
def create_account(
    username: Username,
    name: Annotated[str, typer.Option("--name", prompt=True, help="the person's name")],
    role: RoleName,
    at: At,
    reason: Reason,
) -> None:
    """Open an account with one role. The start password is shown once."""
    from api.cli.accounts import create as run
    from api.cli.accounts import role_named

    run(settings(), username=username, name=name, role=role_named(role), at=at, reason=reason)


@accounts_commands.command("grant")
def grant_role(
    username: Username,
    role: RoleName,
    at: At,
    reason: Reason,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="last day")] = None,
) -> None:
    """Give an account one more role, from today."""
    from api.cli.accounts import grant as run
    from api.cli.accounts import role_named

    run(
        settings(),
        username=username,
        role=role_named(role),
        at=at,
        until=until.date() if until else None,
        reason=reason,
    )


@accounts_commands.command("reset")
def reset_account(username: Username) -> None:
    """Make a new start password, shown once; every session of the account ends."""
    from api.cli.accounts import reset as run

    run(settings(), username=username)


@accounts_commands.command("list")
def list_accounts() -> None:
    """Accounts with the roles they hold today."""
    from api.cli.accounts import show_all

    show_all(settings())


@organisations_commands.command("add")
def add_organisation(
    code: Annotated[str, typer.Argument(help="letters, digits and dashes")],
    name: Annotated[str, typer.Option("--name")],
    kind: Annotated[Kind, typer.Option("--kind")],
    below: Annotated[str | None, typer.Option("--below", help="code of the organisation above")] = None,
    phone: Annotated[str | None, typer.Option("--phone")] = None,
) -> None:
    """Add an area, a school, a facility."""
    from api.cli.accounts import add_organisation as run
    from screening.models.organisation import OrganisationKind

    run(settings(), code=code, name=name, kind=OrganisationKind(kind.value), below=below, phone=phone)


@facilities_commands.command("code")
def set_facility_code(
    code: Annotated[str, typer.Argument(help="code of the facility")],
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="last day; otherwise the end of the school term"),
    ] = None,
) -> None:
    """Make a facility's own code for return notes without an account. Shown once; the former one ends."""
    from api.cli.facilities import set_code

    set_code(settings(), code=code, until=until.date() if until else None)


# --- trail and background work -----------------------------------------------------------------------------


@audit_commands.command("verify")
def verify_trail() -> None:
    """Walk the chain of the trail from its beginning and name the first wrong number."""
    from api.cli.home import opened
    from api.cli.words import _, complain, say
    from screening.core.audit import verify as walk

    with opened(settings(), hold=False) as database, database.look() as session:
        verdict = walk(session)
    if verdict.wrong_at is not None:
        complain(_("The trail is wrong at number {n}: changed, removed or swapped.", n=verdict.wrong_at))
        raise typer.Exit(FOUND)
    say(_("The trail holds: {checked} rows chained, {unsealed} not chained yet.",
          checked=verdict.checked, unsealed=verdict.unsealed))  # fmt: skip


@outbox_commands.command("list")
def list_outbox() -> None:
    """What waits and what was given up."""
    from api.cli.outbox import show

    show(settings())


@outbox_commands.command("retry")
def retry_outbox() -> None:
    """Try again what was given up."""
    from api.cli.outbox import retry as run

    run(settings())


# --- the way in --------------------------------------------------------------------------------------------


def main() -> None:
    """Run the command; a refusal becomes one sentence and exit status 2."""
    os.umask(0o077)  # whatever is made here is for this account alone (CR7)
    try:
        app()
    except Exception as error:
        said = refusal(error)
        if said is None:
            raise
        sys.stderr.write(said + "\n")
        sys.exit(REFUSED)


def refusal(error: Exception) -> str | None:
    """The sentence for a refusal; ``None`` for what is a mistake of ours."""
    from sqlalchemy.exc import OperationalError

    from api.cli.words import _, sentence
    from screening.core.errors import DomainError
    from screening.core.sealing import KeysRefused
    from screening.core.settings import SettingsRefused

    if isinstance(error, DomainError):
        return sentence(error.message, **error.params)
    if isinstance(error, KeysRefused | SettingsRefused):
        return _("Refused: {reason}.", reason=str(error))
    # Without a statement it was the connection that failed; with one it would be a mistake of ours.
    if isinstance(error, OperationalError) and (error.statement is None or error.connection_invalidated):
        return _("The database cannot be reached.")
    return None
