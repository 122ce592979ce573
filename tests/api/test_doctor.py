"""What the doctor says of a machine that is in order, and of each thing that is not. One sentence each, in words."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from api.cli import doctor, doctor_duty, doctor_machine
from api.cli.doctor import Weight
from screening.actions import organisations
from screening.core.actor import Actor
from screening.core.clock import Clock
from screening.core.i18n import catalogue, translate
from screening.core.outbox import OutboxMessage
from screening.core.sealing import write_keys
from screening.core.spans import gaps
from screening.models.account import Account
from screening.models.organisation import DutyEntry, OrganisationKind
from tests.conftest import ENGINE
from tests.referral.county import furnished, phq9

Usage = namedtuple("Usage", "total used free")  # as shutil gives it


@pytest.fixture
def look(settings, database, keyring, clock, tmp_path):
    """``look()``: message → (weight, sentence) of what the doctor says about a home in order."""
    from api.auth import keys

    settings.home.chmod(0o700)
    for path in settings.home.glob("*.sqlite"):
        path.chmod(0o600)
    write_keys(settings.keys_file, keyring)
    keys.create(settings.tokens_file)

    def said(changed=None, **more):
        signs = doctor.examine(changed or settings, clock, **more)
        return {s.message: (s.weight, translate("en", s.message, **s.params)) for s in signs}

    return said


@pytest.fixture
def county(database, clock):
    return furnished(database, clock)


@pytest.fixture
def change(database):
    def run(*statements):
        with database.begin() as session:
            for statement in statements:
                session.execute(statement.execution_options(synchronize_session=False))

    return run


def bad(said) -> list[str]:
    return [sentence for weight, sentence in said.values() if weight is Weight.BAD]


def noted(said) -> list[str]:
    return [sentence for weight, sentence in said.values() if weight is Weight.NOTE]


# --- duty roster -------------------------------------------------------------------------------------------


def on_duty(county, place: str, start: timedelta, end: timedelta, who: str = "lead") -> None:
    now = county.clock.now()
    with county.database.begin() as session:
        organisations.put_on_duty(
            session, actor=Actor.system(), organisation=county.places[place],
            account_id=county.actors[who].account_id, phone="13800000001", starts_at=now + start,
            ends_at=now + end, now=now,
        )  # fmt: skip


def second_school(county) -> None:
    with county.database.begin() as session:
        county.places["other"] = organisations.add(
            session, actor=Actor.system(), kind=OrganisationKind.SCHOOL, code="other", name="白石县第二中学",
            parent=county.places["county"], phone=None, now=county.clock.now(),
        )  # fmt: skip


def test_a_full_roster(county, look):
    said = look()
    assert bad(said) == []
    assert "Somebody is on duty for county all the next seven days." in {s for _, s in said.values()}


def test_a_roster_with_holes(county, look, change):
    change(delete(DutyEntry))
    on_duty(county, "school", timedelta(0), timedelta(hours=10))
    on_duty(county, "school", timedelta(hours=12), timedelta(days=4))
    on_duty(county, "school", timedelta(days=5), timedelta(days=8))
    said = [s for s in doctor_signs(county) if s.weight is not Weight.GOOD]
    sentences = [translate("en", s.message, **s.params) for s in said]
    assert sentences == [
        "Nobody is on duty for county from 10-14 20:00 to 10-14 22:00. Fill the duty roster.",
        "Nobody is on duty for county from 10-18 10:00 to 10-19 10:00. Fill the duty roster.",
    ]
    assert [s.weight for s in said] == [Weight.BAD, Weight.NOTE], (
        "the next night is for today, the next week is not"
    )


def doctor_signs(county):
    with county.database.look() as session:
        return list(doctor_duty.duty(session, county.clock))


def test_nobody_at_all(county, look, change):
    change(update(DutyEntry).values(ends_at=county.clock.now()))
    assert bad(look()) == ["Nobody is on duty in county at this moment."]


def test_one_school_of_two_has_nobody(county, look):
    second_school(county)
    assert bad(look()) == ["Nobody is on duty at this moment for 1 schools of county: other."]
    on_duty(county, "county", -timedelta(hours=1), timedelta(days=8), who="centre")
    assert bad(look()) == [], "the county's duty person answers for every school in it"


def test_who_has_left_is_not_on_duty(county, look, change):
    lead = county.actors["lead"].account_id
    change(update(Account).where(Account.id == lead).values(disabled_at=county.clock.now()))
    assert bad(look()) == ["Nobody is on duty in county at this moment."]


def test_many_holes_are_counted(county, look, change):
    change(delete(DutyEntry))
    for day in range(15):
        on_duty(county, "school", timedelta(hours=12 * day), timedelta(hours=12 * day + 6))
    said = doctor_signs(county)
    assert len(said) == doctor_duty.SHOWN + 1
    assert said[-1].params == {"n": 14 - doctor_duty.SHOWN}


@pytest.mark.parametrize(
    ("entries", "holes"),
    [
        ([], [(0, 10)]),
        ([(0, 10)], []),
        ([(-5, 20)], []),
        ([(-5, 3), (3, 11)], []),
        ([(2, 4), (6, 8)], [(0, 2), (4, 6), (8, 10)]),
        ([(6, 8), (2, 7)], [(0, 2), (8, 10)]),
        ([(0, 9), (1, 2)], [(9, 10)]),
        ([(12, 14)], [(0, 10)]),
    ],
)
def test_holes_between_entries(entries, holes):
    def at(hour: int) -> datetime:
        return datetime(2026, 10, 14, tzinfo=UTC) + timedelta(hours=hour)

    made = gaps([(at(a), at(b)) for a, b in entries], at(0), at(10))
    assert made == tuple((at(a), at(b)) for a, b in holes)


# --- the machine -------------------------------------------------------------------------------------------


def test_rare_names_are_printed(look):
    said = look(probe=True)
    assert bad(said) == []
    assert any("䶮 𬍡 㛃" in sentence for _, sentence in said.values())


def test_a_font_without_rare_names_is_said(settings, monkeypatch):
    monkeypatch.setattr(doctor_machine, "RARE_NAMES", "张 \U000f0000")
    [sign] = doctor_machine.probe_page(settings)
    assert sign.weight is Weight.BAD
    assert sign.params == {"characters": "\U000f0000"}


def test_printing_that_fails_is_said(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor_machine, "PROBE", tmp_path / "none.html")
    [sign] = doctor_machine.probe_page(settings)
    assert sign.weight is Weight.BAD
    assert sign.message in catalogue("zh")


@pytest.mark.parametrize(
    ("free", "weight"),
    [(150_000_000, Weight.BAD), (700_000_000, Weight.NOTE), (90_000_000_000, Weight.GOOD)],
)
def test_room_on_the_disk(settings, monkeypatch, free, weight):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**12, 10**12 - free, free))
    [sign] = doctor_machine.disk(settings)
    assert sign.weight is weight


def test_a_large_database_needs_more_room(settings, database, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, 2_000_000_000))
    monkeypatch.setattr(doctor_machine, "_size", lambda settings: 900_000_000)
    [sign] = doctor_machine.disk(settings)
    assert sign.weight is Weight.NOTE


# --- backups -----------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path):
    place = tmp_path / "shelf"
    place.mkdir()
    return place


def store(shelf: Path, at: datetime) -> None:
    (shelf / f"xinqiao-{at.astimezone(UTC):%Y%m%d-%H%M%SZ}.backup").touch()


def test_no_place_for_backups_is_said(look):
    assert any("XINQIAO_BACKUP_TO" in sentence for sentence in noted(look()))


def test_the_age_of_the_newest_backup(look, settings, clock, shelf):
    settings = replace(settings, backup_to=shelf)
    assert any("There is no backup" in sentence for sentence in bad(look(settings)))
    store(shelf, clock.now() - timedelta(days=3))
    limit = timedelta(minutes=45) if ENGINE == "sqlite" else timedelta(hours=26)
    store(shelf, clock.now() - limit - timedelta(minutes=1))
    minutes = int(limit.total_seconds() // 60) + 1
    assert bad(look(settings)) == [
        f"The newest backup is {minutes} minutes old. Run `xinqiao db backup` and read what it says."
    ]
    store(shelf, clock.now() - timedelta(minutes=14))
    assert bad(look(settings)) == []


def test_a_disk_for_backups_that_is_not_there(look, settings, shelf):
    said = look(replace(settings, backup_to=shelf / "usb"))
    assert any("mounted" in sentence for sentence in bad(said))


def test_backups_beside_the_database_are_said(look, settings, clock, shelf):
    store(shelf, clock.now())
    assert any("same disk" in sentence for sentence in noted(look(replace(settings, backup_to=shelf))))


# --- clocks ------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back(county, look, clock):
    county.submit(county.enrol(1)[0], "phq9", phq9(total=21))
    assert bad(look()) == []
    clock.forward(-timedelta(minutes=2))
    assert any("behind what was stored last" in sentence for sentence in bad(look()))


class Fast(Clock):
    def __init__(self, by: timedelta) -> None:
        self.by = by

    def now(self) -> datetime:
        return super().now() + self.by


@pytest.mark.skipif(ENGINE != "postgresql", reason="SQLite has no clock of its own")
@pytest.mark.parametrize(
    ("by", "weight"),
    [(timedelta(0), Weight.GOOD), (timedelta(seconds=20), Weight.NOTE), (timedelta(minutes=-3), Weight.BAD)],
)
def test_the_clocks_of_machine_and_database(database, clock, by, weight):
    with database.look() as session:
        [sign] = doctor_machine.clocks(session, clock, here=Fast(by))
    assert sign.weight is weight


# --- as typed ----------------------------------------------------------------------------------------------


def test_the_exit_status_says_whether_something_is_wrong(tmp_path):
    xinqiao = Path(sys.executable).with_name("xinqiao")
    environment = {"XINQIAO_HOME": str(tmp_path / "home"), "LANG": "en_GB.UTF-8", "PATH": "/usr/bin:/bin"}

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([xinqiao, *words], env=environment, capture_output=True, text=True, check=False)

    assert typed("doctor").returncode == 1
    assert typed("db", "init").returncode == 0
    done = typed("doctor")
    assert done.returncode == 0, done.stdout
    assert "A probe page with rare names" in done.stdout
    assert all(line[0] in "✓!✗" for line in done.stdout.splitlines())


def test_messages_of_work_left_behind(county, look, change, clock):
    change(update(OutboxMessage).values(dead_at=clock.now()))
    with county.database.begin() as session:
        session.add(
            OutboxMessage(
                topic="x", payload={}, purpose="x", published_at=clock.now(), available_at=clock.now(),
                dead_at=clock.now(),
            )
        )  # fmt: skip
    assert any("given up: 1" in sentence for sentence in bad(look()))
