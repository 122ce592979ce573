"""The made-up county: numbers that agree, notes and nothing else as PDF, people who wait at every step, no real data."""

from __future__ import annotations

import pickle
import re
import shutil
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from pypdf import PdfReader
from rich.console import Console

from api.auth import Hasher
from api.cli import home
from api.cli.check import check_all
from api.cli.demo import answers, main, people, play, prepare, workbooks
from api.cli.demo.counts import Counts, count
from api.cli.demo.county import POSTS, SCHOOLS
from api.cli.demo.home import SIGN_INS, new_password
from instruments import AnswerSheet, Grade, catalogue, score
from referral.models.referral import Referral
from referral.queries.cases import case_file, cases_visible_to
from referral.queries.referrals import referrals_visible_to
from referral.terms import ReferralKind, ReferralStatus
from risk_model import Level
from screening.core import form_number, identity_number
from screening.core.actor import Actor
from screening.core.clock import LOCAL
from screening.core.db import Database
from screening.core.errors import Conflict, PolicyViolation
from screening.core.grades import GradeInfo, Stage
from screening.core.settings import Settings
from screening.queries.accounts import find_account
from screening.spreadsheets.reader import read_workbook
from tests.postgres import one_at_a_time

T = TypeVar("T")
SMALL = 60
# The days before reach into the week of the national holiday.
NOW = datetime(2026, 10, 15, 15, 0, tzinfo=LOCAL)
SYSTEM = Actor.system()


@dataclass(frozen=True, slots=True)
class Made:
    """A demonstration in its directory, made once for all tests here."""

    directory: Path
    summary: main.Summary
    watch: play.Watch

    @property
    def settings(self) -> Settings:
        return Settings.of_home(self.directory)

    @property
    def counts(self) -> Counts:
        assert self.summary.counts is not None
        return self.summary.counts

    @property
    def notes(self) -> list[Path]:
        return sorted((self.directory / "notes").iterdir())


def made_once(shared: Path, own: Path, make: Callable[[Path], T]) -> T:
    """What ``make`` leaves in a directory and returns: made by the first process of this run that asks. Each works on a
    copy of its own, as only one at a time may have a county open."""
    kept = shared.with_suffix(".pickle")
    with one_at_a_time(shared.with_suffix(".lock")):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make(shared)))
        shutil.copytree(shared, own)
    found: T = pickle.loads(kept.read_bytes())
    return found


@pytest.fixture(scope="module")
def made(shared_directory, tmp_path_factory) -> Made:
    def make(directory: Path) -> Made:
        watch = play.Watch()
        summary = main.make(Settings.of_home(directory), directory, watch, children=SMALL, now=NOW)
        return Made(directory, summary, watch)

    directory = tmp_path_factory.mktemp("demo") / "small"
    return replace(made_once(shared_directory / "demo-small", directory, make), directory=directory)


@pytest.fixture(scope="module")
def prepared(shared_directory, tmp_path_factory) -> Settings:
    """The home of ``serve --demo``, made half a year later from the same seed."""

    def make(directory: Path) -> None:
        settings = Settings.of_home(directory)
        (settings.home / "making-broken-off").mkdir(parents=True)
        prepare(settings, children=SMALL, now=NOW + timedelta(days=200))

    directory = tmp_path_factory.mktemp("serve") / "demo"
    made_once(shared_directory / "demo-serve", directory, make)
    return Settings.of_home(directory)


def text_of(path: Path) -> str:
    return "".join(page.extract_text() for page in PdfReader(path).pages)


# --- demo --dir --------------------------------------------------------------------------------------------


def test_every_child_is_counted_once(made):
    found = made.counts
    assert found.children == SMALL
    assert sum(found.levels.values()) + found.without_sheet == SMALL
    assert made.summary.played is not None
    assert sum(len(book.pupils) for book in made.summary.played.books) == SMALL


def test_rows_are_sheets_refused_or_absent(made):
    played = made.summary.played
    sent = sum(len(rows) for book in played.books for rows in book.sheets.values())
    # One sheet more than the workbooks hold: the safety talk that was keyed in.
    talks = made.counts.sheets - (sent - sum(each.refused + each.absent for each in played.imported))
    assert talks >= 1
    assert sum(each.refused for each in played.imported) == 1


def test_notes_are_as_many_as_children_at_high_and_crisis(made):
    assert made.counts.levels[Level.HIGH] > 0
    assert made.counts.levels[Level.CRISIS_ITEM] > 0
    assert len(made.notes) == made.summary.notes == made.counts.to_refer
    assert made.summary.holds


def test_numbers_that_do_not_agree_are_said(made):
    odd = main.Summary(made.counts, made.summary.played, made.summary.notes - 1)
    assert not odd.holds
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115  # lives as long as the test
    main.show(console, odd, made.watch, made.directory)
    said = console.export_text()
    console.file.close()
    assert f"{odd.notes}" in said
    assert "不一致" in said or "do not agree" in said


def test_notes_are_one_page_named_by_form_number_without_metadata(made):
    for path in made.notes:
        assert path.suffix == ".pdf"
        assert form_number.is_valid(path.stem)
        reader = PdfReader(path)
        assert len(reader.pages) == 1
        assert not reader.metadata
        assert path.stem in text_of(path)


def test_nothing_else_ends_in_pdf(made):
    found = [path for path in made.directory.rglob("*") if path.suffix.lower() == ".pdf"]
    assert sorted(found) == made.notes
    assert {path.name for path in made.directory.iterdir()} == {
        "notes",
        "workbooks",
        "xinqiao.sqlite",
        "xinqiao.sqlite.lock",
        "keys.json",
        "token-keys.json",
        SIGN_INS,
    }
    assert len(list((made.directory / "workbooks").glob("*.xlsx"))) == len(SCHOOLS)


def test_who_left_at_once_was_seen_by_nobody_and_the_note_says_so(made):
    said = {path.stem: text_of(path) for path in made.notes}
    with home.opened(made.settings) as database, database.look() as session:
        left = session.scalars(
            referrals_visible_to(SYSTEM).where(Referral.kind == ReferralKind.TRIAGE_REQUEST)
        ).all()
        assert len(left) == made.counts.left_at_once > 0
        for referral in left:
            assert "请求分诊" in said[referral.form_no]
            assert "尚未面谈" in said[referral.form_no]
        others = [said[number] for number in said.keys() - {referral.form_no for referral in left}]
    assert not any("请求分诊" in text for text in others)


def test_one_childs_loop_is_closed(made):
    with home.opened(made.settings) as database, database.look() as session:
        [closed] = session.scalars(
            referrals_visible_to(SYSTEM).where(Referral.status == ReferralStatus.COMPLETED)
        ).all()
        passed = [change.status for change in closed.history]
        assert passed[-5:] == [
            ReferralStatus.SCHEDULED,
            ReferralStatus.ATTENDED,
            ReferralStatus.RETURNED,
            ReferralStatus.ACKNOWLEDGED,
            ReferralStatus.COMPLETED,
        ]
        text = text_of(made.directory / "notes" / f"{closed.form_no}.pdf")
    assert "近两周情绪低落" in text
    assert "尚未面谈" not in text


def test_every_promise_holds(made):
    with home.opened(made.settings) as database, database.look() as session:
        assert check_all(session, now=NOW, deep=True) == []


def test_a_directory_that_holds_anything_is_refused(made, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in made.directory.rglob("*")}
    with pytest.raises(Conflict, match="not an empty directory"):
        main.make(made.settings, made.directory, play.Watch(), children=SMALL, now=NOW)
    assert {path: path.stat().st_mtime_ns for path in made.directory.rglob("*")} == before
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(Conflict):
        main.make(made.settings, file, play.Watch())


def test_no_demonstration_in_production(tmp_path):
    settings = Settings.of_home(tmp_path / "real", production=True)
    with pytest.raises(PolicyViolation):
        main.make(settings, tmp_path / "out", play.Watch())
    with pytest.raises(PolicyViolation):
        prepare(settings)
    assert list(tmp_path.iterdir()) == []


def test_the_table_fits_a_terminal(made):
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115  # lives as long as the test
    main.show(console, made.summary, made.watch, made.directory)
    lines = console.export_text().splitlines()
    console.file.close()
    for level in (Level.NONE, Level.ELEVATED, Level.HIGH, Level.CRISIS_ITEM):
        [line] = [line for line in lines if f"({level.name})" in line]
        assert line.rstrip("│ ").endswith(str(made.counts.levels[level]))


# --- serve --demo ------------------------------------------------------------------------------------------


def test_children_wait_at_every_step(prepared):
    with home.opened(prepared) as database, database.look() as session:
        steps = Counter(each.status for each in session.scalars(referrals_visible_to(SYSTEM)))
        taken = [
            file.crisis.taken_at
            for case in session.scalars(cases_visible_to(SYSTEM))
            if (file := case_file(session, case=case)).crisis
        ]
    assert steps[ReferralStatus.DRAFT] > 1
    assert {ReferralStatus.SENT, ReferralStatus.SCHEDULED, ReferralStatus.RETURNED} <= set(steps)
    assert taken == [None]


def test_the_same_seed_gives_the_same_levels_on_another_day(made, prepared):
    with home.opened(prepared) as database, database.look() as session:
        found = count(session)
    assert (found.levels, found.sheets, found.children) == (
        made.counts.levels,
        made.counts.sheets,
        made.counts.children,
    )


def test_one_sign_in_per_role_and_it_opens(prepared):
    entries = prepare(prepared)
    assert len(entries) == len({role for _, role, _ in POSTS}) == len({entry.role for entry in entries})
    hasher = Hasher()
    with home.opened(prepared) as database, database.look() as session:
        for entry in entries[:2]:
            account = find_account(session, username=entry.username)
            assert account is not None
            assert hasher.check(account.password_hash, entry.password)
            assert not account.must_change_password
    hasher.close()


def test_a_second_start_finds_the_same_county(prepared):
    before = Path(f"{prepared.home}/xinqiao.sqlite").stat().st_ino
    assert prepare(prepared) == prepare(prepared)
    assert Path(f"{prepared.home}/xinqiao.sqlite").stat().st_ino == before
    with home.opened(prepared) as database, database.look() as session:
        assert count(session).children == SMALL


def test_what_was_made_is_for_this_user_only(prepared):
    assert not list(prepared.home.glob("making-*"))
    for path in prepared.home.iterdir():
        if path.suffix != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_another_database_is_left_alone(tmp_path):
    settings = Settings.of_home(tmp_path / "home")
    home.init_home(settings)
    with pytest.raises(Conflict, match="not a demonstration"):
        prepare(settings)
    with pytest.raises(PolicyViolation):
        prepare(Settings.of_home(tmp_path / "city", database_url="postgresql+psycopg://somewhere/real"))


def test_no_county_is_made_beside_real_children(database: Database, made):
    script = play.Script(1, 1, NOW, complete=True)
    with home.opened(made.settings) as full, full.begin() as session, pytest.raises(Conflict):
        play._county(session, script, "x")
    with database.begin() as session:
        assert play._county(session, script, "x").campaigns.keys() == {school.code for school in SCHOOLS}


def test_passwords_differ_and_are_easy_to_type():
    drawn = {new_password() for _ in range(20)}
    assert len(drawn) == 20
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-[a-z]+-[0-9]{2}", each) and len(each) >= 12 for each in drawn)


# --- what is made up ---------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_answers():
    first, again = (workbooks.make(7, SMALL, NOW.date()) for _ in range(2))
    assert first == again
    assert workbooks.make(8, SMALL, NOW.date()) != first


def test_nobodys_number_can_be_taken_for_a_real_one(made):
    seen = 0
    for path in (made.directory / "workbooks").iterdir():
        parsed = read_workbook(path.read_bytes(), list(catalogue()), today=NOW.date())
        for row in parsed.roster:
            assert not row.errors
            assert not row.warnings
            assert re.fullmatch(r"0000-555[0-9]{4}", row.guardian_phone or "")
            if row.id_number:
                seen += 1
                assert row.id_number.startswith("990000")
                assert identity_number.read(row.id_number).check_ok
            else:
                assert row.id_type is None
    assert seen > 0


def test_sheets_are_days_old_and_no_older():
    for today in (date(2026, 1, 2), date(2026, 2, 24), NOW.date(), date(2026, 10, 8), date(2026, 11, 22)):
        for book in workbooks.make(3, 30, today):
            arrival = workbooks.import_day(book.school, today)
            days = [row["administered_on"] for rows in book.sheets.values() for row in rows if len(row) > 2]
            assert all(timedelta(0) < arrival - day <= timedelta(days=14) for day in days)


def test_rare_characters_come_up():
    random = Random(4)
    made = people.pupils(random, (GradeInfo(Stage.JUNIOR, 1),), 2000, NOW.date())
    names = "".join(pupil.name for pupil in made)
    assert set("䶮𬍡㛃彧玥〇") <= set(names)
    assert 0.2 < sum(pupil.left_behind for pupil in made) / len(made) < 0.4


@pytest.mark.parametrize(
    ("code", "stage", "mean", "spread", "over"),
    [
        # Published margins, loosely: this county is a little better off than the pooled studies.
        ("phq_a", Stage.JUNIOR, (3.5, 6.5), (3.8, 6.2), (0.08, 0.25)),
        ("gad7", Stage.SENIOR, (2.4, 4.6), (3.2, 5.2), (0.04, 0.15)),
        ("mht", Stage.JUNIOR, (33, 45), (11, 17), (0.02, 0.09)),
        ("sdq_p", Stage.PRIMARY, (8, 13), (4, 7), (0.04, 0.16)),
    ],
)
def test_margins_are_those_of_a_school(code, stage, mean, spread, over):
    random, instrument = Random(11), catalogue().get(code)
    totals, beyond, urgent = [], 0, 0
    for pupil in people.pupils(random, (GradeInfo(stage, 2),), 1200, NOW.date()):
        filled = answers.sheet(code, random, answers.traits(random, pupil, 0.0))
        scores = score(instrument, AnswerSheet.parse(instrument, filled))
        if scores.validity == "valid" and scores.total is not None and scores.total.value is not None:
            totals.append(float(scores.total.value))
            beyond += scores.over_cutoff
            urgent += scores.grade in (Grade.A, Grade.B)
    average = sum(totals) / len(totals)
    deviation = (sum((total - average) ** 2 for total in totals) / len(totals)) ** 0.5
    assert mean[0] < average < mean[1]
    assert spread[0] < deviation < spread[1]
    assert over[0] < beyond / len(totals) < over[1]
    assert urgent / len(totals) < 0.05


def test_workbooks_hold_what_schools_send(made):
    """An absent child, an invalid sheet, straight-lining and a slip of the keyboard are among them."""
    sheets = {code: rows for book in workbooks.make(play.SEED, 600, NOW.date()) for code, rows in book.sheets.items()}  # fmt: skip
    assert any(len(row) == 2 for row in sheets["phq_a"])
    assert any(all(row.get(str(n)) == 1 for n in answers.MHT_LIE) for row in sheets["mht"])
    assert any(all(row.get(str(n)) == 1 for n in range(1, 26)) for row in sheets["sdq_p"])
    assert [row["3"] for row in sheets["gad7"] if row.get("3", 0) > 3] == [7]
    assert BytesIO((made.directory / "workbooks" / "demo-nine.xlsx").read_bytes()).read(2) == b"PK"


@pytest.mark.slow
def test_the_whole_county_in_under_a_minute(tmp_path):
    watch = play.Watch()
    summary = main.make(Settings.of_home(tmp_path), tmp_path / "all", watch)
    assert summary.holds
    assert summary.counts is not None
    assert 0.05 < summary.counts.levels[Level.HIGH] / summary.counts.children < 0.12
    assert 0.01 < summary.counts.levels[Level.CRISIS_ITEM] / summary.counts.children < 0.04
    assert sum(watch.seconds.values()) < 60
