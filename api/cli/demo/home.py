"""The home that ``serve --demo`` opens: made once, found again, with one sign-in per role."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.auth import Hasher
from api.auth.passwords import check_password
from api.cli import home
from api.cli.demo.county import POSTS, place_names
from api.cli.demo.play import CHILDREN, SEED, Script, Watch, finish, play
from api.cli.words import _
from screening.core.actor import Role
from screening.core.clock import Clock
from screening.core.errors import Conflict, InvalidInput, PolicyViolation
from screening.core.settings import Settings

SIGN_INS = "sign-ins.json"
_HALF_MADE = "making-"

# Short, easy to type, unlike each other. Three of them and two digits: enough for a county that does not exist.
_TEXT = """
acorn amber anchor apron arrow autumn badge bamboo barley basket beacon birch bottle branch breeze brick bucket
butter button cactus candle canoe carpet cedar cherry circle clay clover cobalt comet copper coral cotton cradle
daisy desert dune eagle ember engine fable falcon fern fiddle forest garden ginger goose grape gravel hammer hazel
helmet hollow honey island ivory jacket kettle ladder lagoon lemon lilac linen lizard lotus magnet mango maple marble
meadow melon mirror mitten mosaic needle nutmeg oasis olive orchid otter oyster paddle palm parrot pebble pepper
pillow pine plum pocket poplar puddle quartz quill rabbit raven ribbon river saddle sail salmon sandal silk slate
"""
_WORDS = tuple(_TEXT.split())

ROLES = {
    Role.COUNSELLOR: "School counsellor",
    Role.CLASS_TEACHER: "Class teacher",
    Role.SCHOOL_LEAD: "School lead for mental health",
    Role.PRINCIPAL: "Principal",
    Role.ENTRY_CLERK: "Entry clerk",
    Role.COUNTY_CENTRE: "County centre",
    Role.EDU_OFFICER: "County education officer",
    Role.CITY_OFFICER: "City officer",
    Role.CLINIC_INTAKE: "Clinic intake",
    Role.CLINICIAN: "Clinician",
    Role.FACILITY_LEAD: "Facility lead",
    Role.HEALTH_OFFICER: "Health officer",
    Role.HOTLINE_OPERATOR: "Hotline operator",
    Role.HOTLINE_SUPERVISOR: "Hotline supervisor",
    Role.CHILD_DIRECTOR: "Village child director",
    Role.CHILD_SUPERVISOR: "Township child supervisor",
    Role.PROTECTION_CENTRE: "Protection centre",
    Role.SYSADMIN: "System administrator",
    Role.AUDITOR: "Auditor",
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """One way in. ``role`` is shown in the language of the terminal."""

    role: str
    place: str
    username: str
    password: str


def prepare(settings: Settings, *, children: int = CHILDREN, now: datetime | None = None) -> list[SignIn]:
    """The county in ``settings.home``, made now if it is not there; one sign-in per role.

    Made beside its place and moved there when it is whole, so that a start that was broken off leaves nothing.
    Raises :class:`PolicyViolation` in production, :class:`Conflict` where another database is in the way.
    """
    if settings.production:
        raise PolicyViolation("A demonstration is not made in production.")
    place = Settings.of_home(settings.home)
    if settings.database_url != place.database_url:
        raise PolicyViolation("A demonstration lives on SQLite in a directory of its own.")
    if (settings.home / SIGN_INS).is_file() and not home.is_empty(settings.database_url):
        home.upgrade_home(settings)
        return read_sign_ins(settings.home)
    if not home.is_empty(settings.database_url):
        raise Conflict(
            "The database in {home} is not a demonstration of ours. Move it away first; nothing was changed.",
            home=settings.home,
        )
    _make(settings, Script(SEED, children, now or Clock().now(), complete=False))
    return read_sign_ins(settings.home)


def _make(settings: Settings, script: Script) -> None:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in settings.home.glob(f"{_HALF_MADE}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_HALF_MADE, dir=settings.home) as name:
        beside = replace(Settings.of_home(Path(name)), font=settings.font)
        with bars() as progress:
            watch = Watch(progress)
            password = new_password()
            play(
                beside,
                script,
                watch,
                password_hash=hashed(password),
                keep_book=lambda book, data: None,
                at_end=lambda stage, played: finish(stage, watch, lambda each: None),
            )
        write_sign_ins(beside.home, password)
        # The database goes last: while it is missing the next start makes everything anew.
        for file in (beside.keys_file.name, beside.tokens_file.name, SIGN_INS, "xinqiao.sqlite"):
            (beside.home / file).replace(settings.home / file)


def bars() -> Progress:
    """Bars that go away when all is done; on no terminal nothing is drawn."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def new_password() -> str:
    """Three words and two digits, drawn anew for each county that is made."""
    while True:
        words = [secrets.choice(_WORDS) for _number in range(3)]
        password = "-".join([*words, f"{secrets.randbelow(90) + 10}"])
        try:
            check_password(password)
        except InvalidInput:
            continue
        return password


def hashed(password: str) -> str:
    """The same hash for all accounts of a made-up county: one password opens them all."""
    hasher = Hasher()
    try:
        return hasher.hash(password)
    finally:
        hasher.close()


def write_sign_ins(directory: Path, password: str) -> None:
    """For the next start, readable by this user only."""
    handle = os.open(directory / SIGN_INS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"password": password}, file)


def read_sign_ins(directory: Path) -> list[SignIn]:
    """One per role: the first account that holds it."""
    password = json.loads((directory / SIGN_INS).read_text(encoding="utf-8"))["password"]
    names = place_names()
    first: dict[Role, SignIn] = {}
    for username, role, place in POSTS:
        if role not in first:
            first[role] = SignIn(_(ROLES[role]), names[place], username, password)
    return [first[role] for role in ROLES]
