"""A backup under work, brought back and looked at; and every way in which one is refused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from api import migrations
from api.cli import backup, backup_file, backup_postgresql, backup_timer, home
from api.cli.backup_file import PIECE, BackupRefused, Manifest
from api.cli.check import check_all
from api.worker import Timed
from screening.core import audit, documents, faults, outbox
from screening.core.audit import AuditRow
from screening.core.documents import StoredDocument
from screening.core.errors import Conflict, Unavailable
from screening.core.outbox import OutboxMessage
from screening.core.sealing import Keyring, KeysRefused, write_keys
from screening.core.settings import Settings, SettingsRefused
from screening.models.account import SignInSession
from tests.conftest import ENGINE
from tests.referral.county import furnished, phq9

sqlite_only = pytest.mark.skipif(ENGINE != "sqlite", reason="the one-machine form is SQLite")
NAMES = ("林知远", "13800000000", "张大山")


@pytest.fixture
def world(settings, database, keyring, clock):
    """A home with keys and children in every state."""
    write_keys(settings.keys_file, keyring)
    county = furnished(database, clock)
    pupils = county.enrol(4)
    county.submit(pupils[0], "phq9", phq9())
    county.submit(pupils[1], "phq9", phq9(total=21))
    county.submit(pupils[2], "phq9", phq9(item9=1))
    county.submit(pupils[3], "asq", dict.fromkeys("12345", 1))
    with database.begin() as session:
        documents.store(session, data=b"%PDF", media_type="application/pdf", now=clock.now())
        audit.seal_tail(session)
    return county


@pytest.fixture
def make(world, settings, clock, tmp_path):
    """Make a backup of the world; gives the file."""

    def one(name: str = "one.backup"):
        return backup.make(settings, clock, to=tmp_path / name).file

    return one


@pytest.fixture
def elsewhere(tmp_path, keyring):
    """A directory that holds the keys and nothing else, as an operator prepares it."""
    place = tmp_path / "elsewhere"
    place.mkdir(mode=0o700)
    write_keys(place / "keys.json", keyring)
    return place


def counts_of(database) -> dict[str, int]:
    if not database.is_sqlite:
        return backup_postgresql.count(database.url.render_as_string(hide_password=False))
    with closing(sqlite3.connect(str(database.url.database))) as opened:
        return backup.count_rows(opened)


# --- there and back ----------------------------------------------------------------------------------------


@sqlite_only
def test_what_was_there_comes_back(make, settings, database, clock, elsewhere):
    file, before = make(), counts_of(database)
    manifest = backup.restore(settings, clock, file=file, into=elsewhere)
    assert dict(manifest.counts) == before
    with home.opened(Settings.of_home(elsewhere)) as restored, restored.look() as session:
        assert check_all(session, now=clock.now(), deep=True) == []
        assert audit.verify(session).wrong_at is None
        # One line more: that there was a restore.
        after = counts_of(restored)
        assert session.scalar(select(AuditRow.event).where(AuditRow.event == "database.restore"))
    assert {**after, "audit_row": after["audit_row"] - 1} == before
    assert {path.name for path in elsewhere.iterdir()} >= {"keys.json", "token-keys.json", "xinqiao.sqlite"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in elsewhere.iterdir() if path.name[0] != "."}
    assert modes <= {0o600, 0o644}
    assert stat.S_IMODE((elsewhere / "xinqiao.sqlite").stat().st_mode) == 0o600


@sqlite_only
def test_everybody_signs_in_again_after_a_restore(make, world, settings, database, clock, elsewhere):
    with database.begin() as session:
        account_id = world.actors["counsellor"].account_id
        session.add(
            SignInSession(account_id=account_id, browser=True, started_at=clock.now(), seen_at=clock.now())
        )
    backup.restore(settings, clock, file=make(), into=elsewhere)
    with home.opened(Settings.of_home(elsewhere)) as restored, restored.look() as session:
        assert session.scalars(select(SignInSession.ended_why)).all() == ["restored"]


def test_a_file_for_this_account_alone_that_says_nothing(make, world):
    file = make()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    for text in (*NAMES, "counsellor", "audit_row", "SQLite format", "PGDMP"):
        assert text.encode() not in data


def test_keys_are_not_in_the_file(world, settings, make, keyring):
    """Not as they are, and not in what comes out of it."""
    file, secret = make(), settings.keys_file.read_bytes()
    with backup_file.opened(file, keyring) as opened:
        inside = b"".join(opened.pieces())
    for key in (*keyring.keys.values(), keyring.index_key):
        assert key not in inside
        assert key not in file.read_bytes()
    assert secret not in inside


def test_a_drill_finds_nothing_in_a_sound_backup_and_leaves_nothing(make, settings):
    file, before = make(), set(settings.home.iterdir())
    owner = owner_address(settings)
    done = backup.drill(settings, file=file, owner_url=owner)
    assert done.sound
    assert done.trail.checked > 0
    left = {path.name for path in set(settings.home.iterdir()) - before}
    assert left <= {".check-lock"}


def owner_address(settings) -> str | None:
    """PostgreSQL: a role that may make the database of the drill."""
    if ENGINE == "sqlite":
        return None
    from sqlalchemy.engine import make_url

    from tests.conftest import SERVER

    admin = make_url(os.environ[SERVER]).set(drivername="postgresql+psycopg")
    return admin.set(database=make_url(settings.database_url).database).render_as_string(hide_password=False)


def test_a_drill_says_what_is_wrong_with_what_was_stored(world, make, settings, database, clock, monkeypatch):
    """Each on its own: a promise broken, a file changed, rows missing. The trail is looked at too."""
    owner = owner_address(settings)
    with database.begin() as session:
        session.execute(update(StoredDocument).values(sha256=b"0" * 32))
        outbox.publish(session, topic="x", payload={}, purpose="x", now=clock.now())
        session.flush()
        session.execute(update(OutboxMessage).where(OutboxMessage.topic == "x").values(dead_at=clock.now()))
    done = backup.drill(settings, file=make(), owner_url=owner)
    assert {finding.invariant for finding in done.findings} == {6, 10}
    assert not done.sound

    honest = backup._counted
    monkeypatch.setattr(backup, "_counted", lambda url: {**honest(url), "child": 3})
    problems = backup.drill(settings, file=make("two.backup"), owner_url=owner).problems
    assert problems == (
        (
            "The table {table} holds {found} rows instead of {expected}.",
            {"table": "child", "found": 3, "expected": 4},
        ),
    )


@sqlite_only
def test_a_drill_walks_the_trail(make, settings, keyring, clock, tmp_path):
    file = make()
    work = tmp_path / "work"
    with backup_file.opened(file, keyring) as opened:
        manifest = opened.manifest
        opened.extract(work)
    with closing(sqlite3.connect(work)) as raw:
        raw.execute("DROP TRIGGER audit_row_no_update")
        raw.execute(
            "UPDATE audit_row SET at = '2001-01-01 00:00:00.000000' WHERE id = (SELECT row_id FROM audit_seal WHERE seq = 3)"
        )
        raw.commit()
    changed = tmp_path / "changed.backup"
    again = replace(manifest, size=work.stat().st_size, sha256=backup.digest_of(work))
    backup_file.write(changed, work, again, keyring)
    done = backup.drill(settings, file=changed)
    assert done.trail.wrong_at == 3
    assert not done.sound


@sqlite_only
def test_a_backup_of_an_older_version_is_brought_up_to_date_in_the_drill(settings, keyring, clock, tmp_path):
    write_keys(settings.keys_file, keyring)
    old = tmp_path / "old.sqlite"
    migrations.upgrade(f"sqlite:///{old}", revision="0001")
    with closing(sqlite3.connect(old)) as raw:
        counts = backup.count_rows(raw)
    file = tmp_path / "old.backup"
    backup_file.write(file, old, manifest_of(old, counts=counts, revision="0001"), keyring)
    assert backup.drill(settings, file=file).sound
    into = tmp_path / "into"
    assert backup.restore(settings, clock, file=file, into=into).revision == "0001"
    assert migrations.current(f"sqlite:///{into}/xinqiao.sqlite") == "0001", (
        "`db upgrade` is a step of its own"
    )


def manifest_of(payload, **changes) -> Manifest:
    values = {
        "engine": "sqlite",
        "made_at": datetime(2026, 10, 14, tzinfo=UTC),
        "app_version": "0.1.0",
        "revision": migrations.head(),
        "counts": {},
        "size": payload.stat().st_size,
        "sha256": backup.digest_of(payload),
    }
    return Manifest(**{**values, **changes})


# --- while people work -------------------------------------------------------------------------------------


def test_a_backup_under_concurrent_writers_is_one_state(world, settings, database, clock, tmp_path):
    """Each transaction writes two rows: a copy never holds one of them, and every promise holds in it."""
    stop, written = threading.Event(), [0]

    def write(thread: int) -> None:
        number = 0
        while not stop.is_set():
            with database.begin() as session:
                for half in "ab":
                    session.add(
                        OutboxMessage(
                            topic="pair", payload={"pad": "x" * 500}, purpose=f"{thread}:{number}:{half}",
                            published_at=clock.now(), available_at=clock.now(), finished_at=clock.now(),
                        )
                    )  # fmt: skip
                    session.flush()
            number += 1
            written[0] += 2

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(3)]
    for thread in threads:
        thread.start()
    try:
        files = []
        for number in range(3):
            seen = written[0]
            while written[0] < seen + 20:
                time.sleep(0.01)
            files.append(backup.make(settings, clock, to=tmp_path / f"{number}.backup"))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    pairs = [made.manifest.counts["outbox_message"] for made in files]
    base = counts_of(database)["outbox_message"] - written[0]
    assert all((count - base) % 2 == 0 for count in pairs)
    assert pairs == sorted(set(pairs)), "each later backup holds more"
    for made in files:
        done = backup.drill(settings, file=made.file, owner_url=owner_address(settings))
        assert done.sound, (done.problems, done.findings)


# --- refused -----------------------------------------------------------------------------------------------


def refused(settings, clock, file, into) -> str:
    with pytest.raises(BackupRefused) as said:
        backup.restore(settings, clock, file=file, into=into)
    assert not (into / "xinqiao.sqlite").exists()
    assert {path.name for path in into.iterdir()} <= {"keys.json", ".restore-lock"}
    return str(said.value)


@sqlite_only
@pytest.mark.parametrize("where", ["head", "manifest", "first piece", "last piece", "length"])
def test_one_changed_byte_is_found(make, settings, clock, elsewhere, where):
    file = make()
    data = bytearray(file.read_bytes())
    head = len(backup_file.MAGIC) + 4
    manifest = head + int.from_bytes(data[head - 4 : head], "big") + 4
    place = {"head": head + 20, "manifest": manifest + 30, "first piece": len(data) // 2,
             "last piece": len(data) - 1, "length": manifest - 4}[where]  # fmt: skip
    data[place] ^= 1
    file.write_bytes(data)
    assert "damaged" in refused(settings, clock, file, elsewhere) or where == "head"


@sqlite_only
def test_every_single_byte_counts(settings, keyring, tmp_path):
    """A small file, each of its bytes changed once: none opens as what it was."""
    payload = tmp_path / "payload"
    payload.write_bytes(b"x" * 50)
    file = tmp_path / "small.backup"
    backup_file.write(file, payload, manifest_of(payload), keyring)
    whole = file.read_bytes()
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 0x40
        file.write_bytes(data)
        with pytest.raises(BackupRefused), backup_file.opened(file, keyring) as opened:
            list(opened.pieces())
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(BackupRefused), backup_file.opened(file, keyring) as opened:
            list(opened.pieces())
    file.write_bytes(whole + b"\0")
    with pytest.raises(BackupRefused), backup_file.opened(file, keyring) as opened:
        list(opened.pieces())


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_any_size_comes_back(keyring, tmp_path, size):
    payload, file = tmp_path / "payload", tmp_path / "one.backup"
    payload.write_bytes(os.urandom(size))
    backup_file.write(file, payload, manifest_of(payload), keyring)
    with backup_file.opened(file, keyring) as opened:
        opened.extract(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == payload.read_bytes()


def test_pieces_cannot_be_left_out_or_swapped(keyring, tmp_path):
    payload, file = tmp_path / "payload", tmp_path / "one.backup"
    payload.write_bytes(os.urandom(4 * PIECE))
    backup_file.write(file, payload, manifest_of(payload), keyring)
    start, records = records_of(file.read_bytes())
    manifest, pieces = records[0], records[1:]
    orders = {
        "left out": [*pieces[:1], *pieces[2:]],
        "swapped": [pieces[1], pieces[0], *pieces[2:]],
        "doubled": [pieces[0], *pieces],
        "cut off": pieces[:-1],
    }
    for what, order in orders.items():
        file.write_bytes(start + manifest + b"".join(order))
        with pytest.raises(BackupRefused) as said, backup_file.opened(file, keyring) as opened:
            list(opened.pieces())
        assert ("cut short" if what == "cut off" else "damaged") in str(said.value), what


def records_of(data: bytes) -> tuple[bytes, list[bytes]]:
    at = len(backup_file.MAGIC)
    at += 4 + int.from_bytes(data[at : at + 4], "big")
    start, records = data[:at], []
    while at < len(data):
        size = 4 + int.from_bytes(data[at : at + 4], "big")
        records.append(data[at : at + size])
        at += size
    return start, records


@sqlite_only
@pytest.mark.parametrize(
    ("keep", "word"),
    [(0, "not a backup"), (10, "not a backup"), (17, "cut short"), (60, "cut short"), (-1, "cut short")],
)
def test_half_a_file_is_refused(make, settings, clock, elsewhere, keep, word):
    file = make()
    file.write_bytes(file.read_bytes()[:keep])
    assert word in refused(settings, clock, file, elsewhere)


@sqlite_only
def test_something_else_is_refused(settings, database, world, clock, elsewhere, tmp_path):
    other = tmp_path / "letter.pdf"
    other.write_bytes(b"%PDF-1.7 and so on")
    assert "not a backup" in refused(settings, clock, other, elsewhere)
    assert "no file" in refused(settings, clock, tmp_path / "none.backup", elsewhere)


@sqlite_only
@pytest.mark.parametrize("key_id", [1, 2])
def test_other_keys_do_not_open_it(make, settings, clock, tmp_path, key_id):
    """Whether the id is known there or not."""
    file = make()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    write_keys(foreign / "keys.json", Keyring({key_id: os.urandom(32)}, key_id, os.urandom(32)))
    said = refused(settings, clock, file, foreign)
    assert "other keys" in said
    assert "keys.json" in said


@sqlite_only
def test_after_a_change_of_keys_older_backups_still_open(make, settings, clock, keyring, tmp_path):
    file = make()
    later = tmp_path / "later"
    later.mkdir()
    write_keys(later / "keys.json", Keyring({**keyring.keys, 2: os.urandom(32)}, 2, keyring.index_key))
    backup.restore(settings, clock, file=file, into=later)


@sqlite_only
@pytest.mark.parametrize("what", ["step", "format", "manifest"])
def test_a_newer_backup_is_refused(
    settings, clock, keyring, database, elsewhere, tmp_path, monkeypatch, what
):
    write_keys(settings.keys_file, keyring)
    payload, file = tmp_path / "payload", tmp_path / "newer.backup"
    payload.write_bytes(b"tables that we do not know")
    manifest = manifest_of(payload, revision="9999", app_version="7.0")
    with monkeypatch.context() as patch:
        if what == "format":
            patch.setattr(backup_file, "FORMAT", 2)
        if what == "manifest":
            patch.setattr(Manifest, "as_json", lambda self: b'{"counts": 3}')
        backup_file.write(file, payload, manifest, keyring)
    said = refused(settings, clock, file, elsewhere)
    assert "newer version" in said
    assert "7.0" in said or what != "step"


def test_nothing_is_overwritten(make, settings, clock):
    file = make()
    with pytest.raises(Conflict, match="already"):
        backup.restore(settings, clock, file=file)
    with pytest.raises(Conflict, match="already"):
        make()


@sqlite_only
@pytest.mark.parametrize("name", ["xinqiao.sqlite", "xinqiao.sqlite-wal", "letters.txt"])
def test_a_home_that_is_not_empty_is_left_alone(make, settings, clock, elsewhere, name):
    (elsewhere / name).write_text("theirs")
    with pytest.raises(Conflict):
        backup.restore(settings, clock, file=make(), into=elsewhere)
    assert (elsewhere / name).read_text() == "theirs"


@sqlite_only
def test_a_backup_of_the_other_engine_is_refused(settings, keyring, clock, tmp_path, elsewhere, database):
    payload, file = tmp_path / "payload", tmp_path / "other.backup"
    payload.write_bytes(b"PGDMP")
    backup_file.write(file, payload, manifest_of(payload, engine="postgresql"), keyring)
    assert "another engine" in refused(settings, clock, file, elsewhere)


@sqlite_only
def test_a_damaged_database_is_not_put_in_place(settings, keyring, clock, database, tmp_path, elsewhere):
    """Sealed and signed as it should be, but the file in it was damaged before."""
    broken = tmp_path / "broken.sqlite"
    with closing(sqlite3.connect(broken)) as raw:
        raw.executescript(
            "CREATE TABLE a (id PRIMARY KEY); CREATE TABLE b (a REFERENCES a); INSERT INTO b VALUES (1);"
        )
    file = tmp_path / "broken.backup"
    backup_file.write(file, broken, manifest_of(broken), keyring)
    assert "not sound" in refused(settings, clock, file, elsewhere)


def test_without_keys_there_is_neither_backup_nor_restore(settings, database, clock, tmp_path):
    with pytest.raises(KeysRefused, match=r"keys\.json"):
        backup.make(settings, clock, to=tmp_path / "one.backup")
    with pytest.raises(KeysRefused, match=r"keys\.json"):
        backup.drill(settings, file=tmp_path / "one.backup")


def test_a_disk_that_is_not_there_is_not_an_empty_one(world, settings, clock, tmp_path):
    with pytest.raises(BackupRefused, match="mounted"):
        backup.make(settings, clock, to=tmp_path / "usb" / "one.backup")


def test_one_backup_at_a_time(world, settings, clock, tmp_path):
    with backup.room(settings.home, ".backup-"), pytest.raises(Unavailable, match="running"):
        backup.make(settings, clock, to=tmp_path / "one.backup")


# --- killed ------------------------------------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from api.cli import backup
from screening.core import faults
from screening.core.clock import Clock
from screening.core.settings import Settings

def stand_still():
    print("here", flush=True)
    sys.stdin.read()

settings = Settings.of_home(Path(sys.argv[1]))
faults.arm(sys.argv[3], stand_still)
backup.make(settings, Clock(), to=Path(sys.argv[2]))
"""


@sqlite_only
@pytest.mark.parametrize("point", ["backup-copied", "backup-piece", "backup-written"])
def test_a_kill_in_the_middle_leaves_no_half_file(world, settings, clock, tmp_path, point):
    into = tmp_path / "backups"
    into.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(settings.home), str(into), point],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout.readline() == "here\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert backup_timer.backups_in(into) == {}
    assert not list(into.glob("*.backup"))
    made = backup.make(settings, clock, to=into)
    assert list(settings.home.glob(".backup-work-*")) == [], "what the killed one left is gone"
    assert backup.drill(settings, file=made.file).sound


def test_a_failure_in_the_middle_leaves_nothing(world, settings, clock, tmp_path):
    def full() -> None:
        raise OSError(28, "No space left on device")

    faults.arm("backup-piece", full)
    try:
        with pytest.raises(OSError, match="No space"):
            backup.make(settings, clock, to=tmp_path / "one.backup")
    finally:
        faults.disarm()
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".backup", ".part"))]
    assert not list(settings.home.glob(".backup-work-*"))


@sqlite_only
def test_a_restore_that_fails_leaves_an_empty_home(make, settings, clock, elsewhere):
    file = make()
    faults.arm("restore-extracted", lambda: (_ for _ in ()).throw(OSError("gone")))
    try:
        with pytest.raises(OSError, match="gone"):
            backup.restore(settings, clock, file=file, into=elsewhere)
    finally:
        faults.disarm()
    assert {path.name for path in elsewhere.iterdir()} <= {"keys.json", ".restore-lock"}
    backup.restore(settings, clock, file=file, into=elsewhere)


# --- every fifteen minutes ---------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path):
    place = tmp_path / "shelf"
    place.mkdir()
    return place


@sqlite_only
def test_the_worker_makes_one_and_another_when_it_is_time(world, settings, database, clock, shelf):
    settings = replace(settings, backup_to=shelf)
    [job] = backup_timer.timed(settings, clock)
    assert isinstance(job, Timed)
    keeper = job.run.__self__
    made = []
    for minutes in (0, 5, 16):
        clock.set(world.clock.now() + timedelta(minutes=minutes) if minutes else clock.now())
        with database.begin() as session:
            job.run(session, clock.now())
            # The writing transaction is open and the backup is made all the same.
            keeper.wait(60)
        made.append(len(backup_timer.backups_in(shelf)))
    assert made == [1, 1, 2]


@sqlite_only
def test_a_failing_backup_is_logged_and_does_not_stop_the_clock(
    world, settings, database, clock, shelf, caplog
):
    settings = replace(settings, backup_to=shelf / "gone")
    keeper = backup_timer.BackupClock(settings, settings.backup_to, clock)
    with database.begin() as session:
        keeper.due(session, clock.now())
    keeper.wait(60)
    assert "the backup has failed: BackupRefused" in caplog.text
    assert list(shelf.iterdir()) == []


def test_without_a_place_nothing_is_planned(settings, clock):
    assert backup_timer.timed(settings, clock) == ()


def test_the_newest_stay_and_one_of_each_day(shelf):
    start = datetime(2026, 10, 14, 0, 7, tzinfo=UTC)
    for quarter in range(4 * 24 * 40):
        at = start - timedelta(minutes=15 * quarter)
        (shelf / f"xinqiao-{at:%Y%m%d-%H%M%SZ}.backup").touch()
    (shelf / "before-the-move.backup").touch()
    backup_timer.thin(shelf, keep=10, today=date(2026, 10, 14))
    left = backup_timer.backups_in(shelf)
    assert (shelf / "before-the-move.backup").exists(), "what somebody named is theirs"
    assert len(left) == 10 + 30 - 1
    newest = sorted(left.values(), reverse=True)
    assert newest[0] == start
    assert newest[9] == start - timedelta(minutes=15 * 9)
    assert newest[-1] > start - timedelta(days=31)
    assert backup_timer.newest_backup(shelf) == start


@pytest.mark.parametrize("said", ["0", "-3", "many", "1.5", "２"])
def test_how_many_to_keep_is_a_number(said):
    with pytest.raises(SettingsRefused, match="XINQIAO_BACKUP_KEEP"):
        Settings.read({"XINQIAO_BACKUP_KEEP": said})
    assert Settings.read({"XINQIAO_BACKUP_KEEP": "3", "XINQIAO_BACKUP_TO": "/x"}).backup_keep == 3


# --- PostgreSQL --------------------------------------------------------------------------------------------


def test_an_address_becomes_variables_and_nothing_on_the_command_line(monkeypatch):
    from sqlalchemy.engine import make_url

    monkeypatch.setenv("PGOPTIONS", "-c something=else")
    made = backup_postgresql.environment(
        make_url("postgresql+psycopg://app:s%40crt@db.example:6432/xinqiao?sslmode=verify-full&host=/run/pg")
    )
    said = {name: value for name, value in made.items() if name.startswith("PG")}
    assert said == {
        "PGHOST": "/run/pg", "PGPORT": "6432", "PGUSER": "app", "PGPASSWORD": "s@crt",
        "PGDATABASE": "xinqiao", "PGSSLMODE": "verify-full",
    }  # fmt: skip


def test_without_its_tools_it_says_what_to_type(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(Unavailable, match="pg_dump --format=custom"):
        backup_postgresql.find("pg_dump")


@pytest.mark.skipif(ENGINE != "postgresql", reason="PostgreSQL's own tools")
def test_a_dump_comes_back_on_postgresql(make, world, settings, database, clock, tmp_path, keyring):
    from tests.conftest import SERVER
    from tests.postgres import APPLICATION, OWNER, Server, unique_name

    file, before = make(), counts_of(database)
    server, name = Server(os.environ[SERVER]), unique_name("restored")
    server.create(name)
    server.give_to_owner(name)
    target = replace(settings, home=tmp_path / "again", database_url=server.url(name, APPLICATION))
    target.home.mkdir()
    write_keys(target.keys_file, keyring)
    try:
        backup.restore(target, clock, file=file, owner_url=server.url(name, OWNER))
        with home.opened(target) as restored, restored.look() as session:
            assert check_all(session, now=clock.now(), deep=True) == []
            after = counts_of(restored)
            assert {**after, "audit_row": after["audit_row"] - 1} == before
        with pytest.raises(Conflict):
            backup.restore(target, clock, file=file, owner_url=server.url(name, OWNER))
        # The application's role still may not change the trail.
        with (
            home.opened(target) as restored,
            pytest.raises(DBAPIError, match="permission denied"),
            restored.begin() as session,
        ):
            session.execute(delete(AuditRow))
    finally:
        server.drop(name)


# --- as typed ----------------------------------------------------------------------------------------------


@sqlite_only
def test_the_commands(tmp_path):
    environment = {**os.environ, "XINQIAO_HOME": str(tmp_path / "home"), "LANG": "en_GB.UTF-8"}
    environment.pop("XINQIAO_DATABASE_URL", None)

    def typed(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(XINQIAO), *words],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    assert typed("db", "backup")[0] == 2, "there is nothing to back up"
    assert typed("db", "init")[0] == 0
    status, said = typed("db", "backup", "--to", str(tmp_path))
    assert status == 0
    assert "keys.json" in said
    [file] = tmp_path.glob("xinqiao-*.backup")
    assert re.search(r"xinqiao-\d{8}-\d{6}Z\.backup", file.name)
    assert typed("db", "restore", str(file), "--check")[0] == 0
    status, said = typed("db", "restore", str(file))
    assert status == 2
    assert len(said.strip().splitlines()) == 1
    assert typed("db", "restore", str(file), "--into", str(tmp_path / "new"))[0] == 0


XINQIAO = shutil.which("xinqiao", path=os.path.dirname(sys.executable)) or "xinqiao"
