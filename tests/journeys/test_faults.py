"""The loop dies between two steps, at every named point; afterwards the counts are those of a day without trouble.

A small workbook holds one child for each thing a sheet may open. ``COUNTS`` is what an undisturbed day leaves; every
other test of this file breaks something, lets a fresh worker go on, and asks for the very same.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from api.worker import Worker
from instruments import catalogue
from referral import handlers, intake
from referral.handlers import HANDLERS
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Channel, Notice
from referral.models.plan import PlanVersion
from referral.models.referral import Referral, ReferralNote
from referral.models.task import Task, TaskRing
from referral.terms import TaskKind
from screening.core import documents, faults, outbox
from screening.core.audit import AuditEvent, AuditRow
from screening.core.db import Database
from screening.core.documents import StoredDocument
from screening.core.outbox import LEASE, MAX_ATTEMPTS, OutboxMessage, count_waiting
from screening.core.paper import PaperCrash, Printer, Rendered
from screening.core.work import Tools
from screening.models.administration import Administration
from screening.models.campaign import Campaign
from screening.models.child import Child
from screening.models.import_batch import CriticalSighting
from screening.models.result import ScreenResult
from screening.spreadsheets.reader import read_workbook
from screening.spreadsheets.rows import ParsedWorkbook
from screening.spreadsheets.template import write_workbook
from tests.architecture.sources import ROOT
from tests.conftest import ENGINE
from tests.factories import answers, spread
from tests.journeys.service import Service

# Each child of the workbook: PHQ-9 and, for one of them, an ASQ asked face to face.
SHEETS: dict[str, dict[str, dict[str, object]]] = {
    "none": {"phq9": spread("phq9", 3)},
    "elevated": {"phq9": spread("phq9", 10)},
    "grade C": {"phq9": answers("phq9", i9=1)},
    "high": {"phq9": spread("phq9", 14, i9=0)},
    "grade B": {"phq9": answers("phq9", i9=2)},
    "grade A": {"asq": answers("asq", i1=1, i5=1), "phq9": spread("phq9", 4)},
    "not scored": {"phq9": answers("phq9", i1=None, i2=None, i3=None)},
}
COUNTS = {
    "children": 7,
    "sheets": 8,
    "results": 8,
    "cases": 4,  # C, high, B, A
    "plans": 3,
    "referrals": 3,
    "notes": 3,
    "files": 4,  # the workbook and three papers
    "crises": 1,
    "sightings": 0,
    "open tasks": {
        "crisis_acknowledge": 1,
        "guardian_harm_question": 3,
        "referral_send": 3,
        "retest": 1,
        "safety_talk": 1,
        "same_day_talk": 1,
        "second_assessment": 2,  # elevated and high
    },
    "rung": 3,  # the danger, the talk today, and at the upload the file whose children nobody knew yet
    "page notices": 5,
    "rings nobody sent out": 0,
    "cases opened in the trail": 4,
    "notes made in the trail": 3,
    "messages left": 0,
    "messages dead": 0,
}

# Where somebody may die, with how often a day passes there.
IN_A_PIECE = {
    "sheets-recorded": 2,  # a piece is cut where a child comes again: one of them fills in two questionnaires
    "case-opened": 3,
    "plan-drafted": 3,
    "referral-drafted": 3,
    "crisis-opened": 1,
    "consequences-written": 2,
    "piece-written": 2,
}
IN_THE_WORKER = {
    "worker-claimed": 10,
    "worker-prepared": 8,
    "worker-performed": 8,
    "worker-stored": 10,
    "worker-finished": 10,
    "note-document-stored": 3,
}


PIECE = 50  # rows of a workbook at a time where a test wants several pieces


class Killed(BaseException):
    """The process is gone: nothing of ours catches this."""


class Quick(Printer):
    """Prints at once; ``broken`` are names of children whose paper cannot be made."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.asked: Counter[str] = Counter()

    def render(self, template: Any, values: Any) -> Rendered:
        self.asked[values["form_no"]] += 1
        if values["out"]["name"] in self.broken:
            raise PaperCrash("The printing process ended without a paper.")
        return Rendered(b"%PDF-1.7 " + values["form_no"].encode(), 1, ())


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    faults.disarm()


@pytest.fixture
def service(settings, database, clock) -> Iterator[Service]:
    made = Service(settings, database, clock, Quick())
    yield made
    made.close()


def name_of(who: str) -> str:
    return f"张{chr(0x4E00 + list(SHEETS).index(who))}"


def workbook(sheets: dict[str, dict[str, dict[str, object]]], day: date, *, roster: bool = True) -> bytes:
    people = {
        who: {"student_no": f"2026{n:04d}", "name": f"张{chr(0x4E00 + n)}"} for n, who in enumerate(sheets)
    }
    lines = [
        person
        | {"sex": "female", "birth_date": date(2012, 3, 1), "grade": "七年级", "class_name": "3班"}
        | {"guardian_name": "李甲", "guardian_relation": "母亲", "guardian_phone": "13800000000"}
        | {"screening_consent": True, "share_consent": True, "consent_on": date(2026, 9, 3)}
        for person in people.values()
    ]
    by_code: dict[str, list[dict[str, object]]] = {}
    for who, given in sheets.items():
        for code, said in given.items():
            by_code.setdefault(code, []).append(people[who] | {"administered_on": day} | said)
    return write_workbook(lines if roster else [], by_code)


def upload_and_commit(service: Service, data: bytes) -> str:
    campaign_id = service.world.make_campaign("phq9", "asq")
    status, batch = service.upload("counsellor", campaign_id, data)
    assert status == 201, batch
    assert batch["refused"] == 0, batch["problems"]
    service.post("counsellor", f"/imports/{batch['id']}/commit", {"good_rows_only": False})
    return str(batch["id"])


@cache
def read_once(day: date) -> tuple[bytes, ParsedWorkbook]:
    """The workbook of :data:`SHEETS` and what stands in it."""
    data = workbook(SHEETS, day)
    return data, read_workbook(data, catalogue(), today=day)


def stage_and_commit(service: Service) -> None:
    """The workbook of :data:`SHEETS`, as an upload and a press leave it behind; without HTTP, for the many deaths."""
    world, now = service.world, service.clock.now()
    campaign_id, actor = world.make_campaign("phq9", "asq"), world.actor("counsellor")
    data, parsed = read_once(service.clock.today())
    with service.database.begin() as session:
        batch = intake.stage(
            session,
            actor=actor,
            campaign=session.get_one(Campaign, campaign_id),
            data=data,
            file_name="",
            parsed=parsed,
            now=now,
        )
        intake.commit(session, actor=actor, batch=batch, good_rows_only=False, now=now)


def counts(database: Database) -> dict[str, Any]:
    """Everything a day leaves behind, as numbers."""
    with database.begin() as session:

        def number(model: Any, *where: Any) -> int:
            return session.scalar(select(func.count()).select_from(model).where(*where)) or 0

        kinds = session.execute(
            select(Task.kind, func.count())
            .where(Task.done_at.is_(None), Task.kind != TaskKind.SERVICE_GAP)
            .group_by(Task.kind)
        )
        return {
            "children": number(Child),
            "sheets": number(Administration),
            "results": number(ScreenResult),
            "cases": number(Case, Case.closed_at.is_(None)),
            "plans": number(PlanVersion),
            "referrals": number(Referral),
            "notes": number(ReferralNote),
            "files": number(StoredDocument),
            "crises": number(CrisisEpisode),
            "sightings": number(CriticalSighting),
            "open tasks": {kind.value: count for kind, count in kinds},
            "rung": number(TaskRing),
            "page notices": number(Notice, Notice.channel == Channel.PAGE),
            "rings nobody sent out": number(
                Task,
                Task.done_at.is_(None),
                Task.id.in_(select(Notice.task_id).where(Notice.channel == Channel.PAGE)),
                Task.id.not_in(select(Notice.task_id).where(Notice.channel == Channel.WEBHOOK)),
            ),
            "cases opened in the trail": number(AuditRow, AuditRow.event == AuditEvent.CASE_OPEN),
            "notes made in the trail": number(AuditRow, AuditRow.event == AuditEvent.NOTE_MADE),
            "messages left": count_waiting(session),
            "messages dead": number(OutboxMessage, OutboxMessage.dead_at.is_not(None)),
        }


def go_on(service: Service) -> None:
    """A fresh worker, after the dead one's claim has lapsed, until nothing is left."""
    for _ in range(20):
        service.worker().run_all()
        with service.database.look() as session:
            if not count_waiting(session):
                return
        service.clock.forward(LEASE + timedelta(seconds=1))
    pytest.fail("something never finished")


def die_at(name: str, nth: int) -> Counter[str]:
    """Let the process die when it comes to a point for the ``nth`` time; counts how often it came there."""
    seen: Counter[str] = Counter()

    def reached() -> None:
        seen[name] += 1
        if seen[name] == nth:
            raise Killed

    faults.arm(name, reached)
    return seen


# --- a day without trouble, and every death ---------------------------------------------------------------


def test_a_day_without_trouble(service):
    passed: dict[str, Counter[str]] = {}
    for name in (*IN_A_PIECE, *IN_THE_WORKER):
        passed[name] = die_at(name, 0)
    upload_and_commit(service, workbook(SHEETS, service.clock.today()))
    service.worker().run_all()
    assert counts(service.database) == COUNTS
    assert {name: seen[name] for name, seen in passed.items()} == IN_A_PIECE | IN_THE_WORKER


def test_every_named_point_of_the_loop_is_in_this_file():
    """A new fault point needs its death here."""
    named: set[str] = set()
    for folder in ("referral/intake", "referral/actions", "referral/handlers.py", "api/worker.py"):
        place: Path = ROOT / folder
        for file in [place] if place.is_file() else place.rglob("*.py"):
            named |= set(re.findall(r'\bfault\("([a-z-]+)"\)', file.read_text(encoding="utf-8")))
    assert named == set(IN_A_PIECE) | set(IN_THE_WORKER)


DEATHS = [
    (name, nth) for name, often in {**IN_A_PIECE, **IN_THE_WORKER}.items() for nth in sorted({1, often})
]


@pytest.mark.parametrize(("name", "nth"), DEATHS)
def test_dying_between_two_steps_loses_nothing_and_doubles_nothing(service, name, nth):
    stage_and_commit(service)
    die_at(name, nth)
    with pytest.raises(Killed):
        service.worker().run_all()
    faults.disarm()
    go_on(service)
    assert counts(service.database) == COUNTS
    assert max(service.printer.asked.values()) <= 2, "at most the paper that was lost is printed again"


@pytest.mark.parametrize("name", ["sheets-recorded", "case-opened", "crisis-opened", "consequences-written"])
def test_a_keyed_sheet_is_there_with_all_that_follows_or_not_at_all(service, name):
    world = service.world
    pupil = world.make_child(world.make_campaign("asq"), share=True)
    before = counts(service.database)
    die_at(name, 1)
    with pytest.raises(Killed):
        world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    faults.disarm()
    assert counts(service.database) == before
    world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    after = counts(service.database)
    assert (after["sheets"], after["cases"], after["crises"], after["referrals"]) == (1, 1, 1, 1)


def test_an_upload_that_dies_keeps_no_batch_and_no_half_alarm(service):
    """Known children: their critical answers ring at the upload, in the same transaction as the batch."""
    upload_and_commit(service, workbook({who: {} for who in SHEETS} | {"none": {}}, service.clock.today()))
    service.worker().run_all()
    campaign_id = service.world.make_campaign("phq9", "asq", title="补测")
    data = workbook(SHEETS, service.clock.today(), roster=False)
    before = counts(service.database)
    die_at("case-opened", 2)
    with pytest.raises(Killed):
        service.upload("counsellor", campaign_id, data)
    faults.disarm()
    assert counts(service.database) == before
    status, batch = service.upload("counsellor", campaign_id, data)
    assert (status, batch["refused"]) == (201, 0)
    staged = counts(service.database)
    assert (staged["sheets"], staged["sightings"], staged["cases"]) == (0, 4, 3)
    assert staged["crises"] == 1, "the danger is known before anything of the file is stored"
    service.post("counsellor", f"/imports/{batch['id']}/commit", {"good_rows_only": False})
    go_on(service)
    done = counts(service.database)
    # What rang at the upload does not ring again; the sheets behind it make a plan version each.
    expected = {**COUNTS, "sightings": 4, "plans": 5, "rung": 2, "page notices": 3}
    papers = done["notes"]  # the first version of two of them may have been made before it was out of date
    assert 3 <= papers <= 5
    expected |= {"notes": papers, "notes made in the trail": papers, "files": papers + 2}
    assert done == expected


# --- imports -----------------------------------------------------------------------------------------------


def test_an_import_killed_half_way_goes_on_where_it_stopped(service, monkeypatch):
    monkeypatch.setattr(handlers, "PIECE", PIECE)
    many = {f"child {n}": {"phq9": spread("phq9", n % 10)} for n in range(2 * PIECE + 7)}
    batch_id = upload_and_commit(service, workbook(many, service.clock.today()))
    for nth in (1, 2, 2):  # dies, goes on for a piece, dies again
        die_at("piece-written", nth)
        with pytest.raises(Killed):
            service.worker().run_all()
        faults.disarm()
        service.clock.forward(LEASE + timedelta(seconds=1))
    shown = service.get("counsellor", f"/imports/{batch_id}")
    assert shown["status"] == "committing"
    assert 0 < shown["written"] < 2 * len(many)
    go_on(service)
    shown = service.get("counsellor", f"/imports/{batch_id}")
    assert (shown["status"], shown["written"], shown["good"]) == ("committed", 2 * len(many), 2 * len(many))
    found = counts(service.database)
    assert (found["children"], found["sheets"], found["results"]) == (len(many),) * 3


def test_the_same_file_and_the_same_press_twice_are_once(service):
    data = workbook(SHEETS, service.clock.today())
    batch_id = upload_and_commit(service, data)
    service.post("counsellor", f"/imports/{batch_id}/commit", {"good_rows_only": False})
    service.worker().run_all()
    campaign_id = service.get("counsellor", f"/imports/{batch_id}")["campaign_id"]
    status, again = service.upload("counsellor", campaign_id, data)
    assert (status, again["id"], again["status"]) == (200, batch_id, "committed")
    service.post("counsellor", f"/imports/{batch_id}/commit", {"good_rows_only": False})
    service.worker().run_all()
    assert counts(service.database) == COUNTS


def test_the_same_answers_in_another_file_are_not_stored_twice(service):
    """Sent again with one cell more: what was stored is refused by name, nothing is doubled."""
    day = service.clock.today()
    batch_id = upload_and_commit(service, workbook(SHEETS, day))
    service.worker().run_all()
    campaign_id = service.get("counsellor", f"/imports/{batch_id}")["campaign_id"]
    another = workbook(SHEETS | {"one more": {"phq9": spread("phq9", 2)}}, day)
    status, batch = service.upload("counsellor", campaign_id, another)
    assert (status, batch["refused"]) == (201, COUNTS["sheets"])
    service.post("counsellor", f"/imports/{batch['id']}/commit", {"good_rows_only": True})
    service.worker().run_all()
    found = counts(service.database)
    assert (found["children"], found["sheets"]) == (8, 9)
    assert {kind: found["open tasks"].get(kind) for kind in COUNTS["open tasks"]} == COUNTS["open tasks"]
    assert (found["cases"], found["plans"], found["referrals"], found["rung"]) == (4, 3, 3, 3)


# --- a paper that cannot be made ---------------------------------------------------------------------------


@pytest.fixture
def broken(service) -> Referral:
    """The referral of the high child, whose paper fails; all the rest is as on any day."""
    stage_and_commit(service)
    service.printer.broken.add(name_of("high"))
    service.worker().run_all()
    with service.database.begin() as session:
        [task] = session.scalars(
            select(Task).where(Task.kind == TaskKind.NOTE_OVERDUE, Task.done_at.is_(None))
        )
        return session.get_one(Referral, task.subject_id)


def overdue(service: Service) -> list[Task]:
    with service.database.begin() as session:
        return list(
            session.scalars(select(Task).where(Task.kind == TaskKind.NOTE_OVERDUE, Task.done_at.is_(None)))
        )


def test_a_paper_that_cannot_be_made_does_not_hold_up_the_others(service, broken):
    found = counts(service.database)
    assert (found["notes"], found["messages left"], found["messages dead"]) == (2, 1, 0)
    [task] = overdue(service)
    assert task.subject_id == broken.id
    answer = service.client.get(
        f"/api/v1/referrals/{broken.id}/note.pdf", headers=service.headers("counsellor")
    )
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_it_is_tried_again_and_the_line_ends_when_the_paper_is_there(service, broken):
    service.printer.broken.clear()
    service.clock.forward(timedelta(seconds=2))
    service.worker().run_all()
    assert counts(service.database) == COUNTS
    assert overdue(service) == []
    data = service.get("counsellor", f"/referrals/{broken.id}/note.pdf")
    assert data == b"%PDF-1.7 " + broken.form_no.encode()


def test_after_two_minutes_it_is_shown_and_rings(service, broken):
    service.clock.forward(timedelta(minutes=1, seconds=59))
    service.worker().run_due(service.clock.now())
    with service.database.look() as session:
        [task] = overdue(service)
        rung = select(TaskRing).where(TaskRing.task_id == task.id)
        assert session.scalars(rung).all() == []
    service.clock.forward(timedelta(seconds=1))
    service.worker().run_due(service.clock.now())
    with service.database.look() as session:
        told = session.scalars(select(Notice.account_id).where(Notice.task_id == task.id)).all()
    assert set(told) == {service.world.people["counsellor"], service.world.people["school_lead"]}
    assert "note_overdue" in {line["kind"] for line in service.get("counsellor", "/tasks")}


def test_a_paper_that_never_can_be_made_stays_visible_with_its_owner(service, broken):
    for _ in range(MAX_ATTEMPTS + 2):
        service.clock.forward(timedelta(minutes=6))
        service.worker().run_all()
    found = counts(service.database)
    assert (found["messages left"], found["messages dead"], found["notes"]) == (0, 1, 2)
    [task] = overdue(service)
    assert task.owner_id == service.world.people["counsellor"]
    with service.database.look() as session:
        [message] = session.scalars(select(OutboxMessage).where(OutboxMessage.dead_at.is_not(None)))
        assert (message.attempts, message.last_error) == (MAX_ATTEMPTS, "PaperCrash")


def test_while_the_paper_fails_the_child_is_seen_and_the_referral_is_sent(service, broken):
    """The PDF is for paper's sake: the facility's inbox has the note's content all the same."""
    answer = service.post(
        "counsellor",
        f"/cases/{broken.case_id}/assessments",
        {
            "held_at": service.clock.now().isoformat(),
            "channel": "in_person",
            "tier": "focus",
            "reason": "情绪低落",
            "words": {
                "observed": "近三周睡眠差。",
                "done_so_far": "已面谈一次。",
                "help_wanted": ["assessment"],
                "safety": {"signs": ["none_found"], "asked_at": service.clock.now().isoformat()},
                "sign": True,
            },
            "send": True,
        },
    )
    assert answer["sent"]
    [line] = service.get("clinic_intake", "/referrals")
    assert line["form_no"] == broken.form_no
    service.post("clinic_intake", f"/referrals/{broken.id}/accept", {"contact": "许星河"})
    assert [task.subject_id for task in overdue(service)] == [broken.id]


def test_a_paper_that_is_out_of_date_before_it_is_ready_is_thrown_away(service):
    """While the first version is printed a second sheet comes in: what is stored is the second version's paper."""
    world = service.world
    pupil = world.make_child(world.make_campaign("phq9", "gad7"), share=True)
    world.submit(pupil, "phq9", spread("phq9", 20, i9=0))
    usual, printed = service.printer.render, []

    def render(template: Any, values: Any) -> Rendered:
        if not printed:
            world.submit(pupil, "gad7", spread("gad7", 21))
        printed.append(values["form_no"])
        return Rendered(f"paper {len(printed)}".encode(), 1, ())

    service.printer.render = render
    service.worker().run_all()
    service.printer.render = usual
    with service.database.begin() as session:
        [note] = session.scalars(select(ReferralNote))
        [referral] = session.scalars(select(Referral))
        assert (note.number, referral.note_version) == (2, 2)
        assert documents.read(session, note.document_id) == b"paper 2"
    assert overdue(service) == []


def test_a_slow_paper_does_not_delay_the_cases_of_a_large_file(service, monkeypatch):
    """An emergency's paper goes before everything else and hangs; the pieces after it are written all the same."""
    monkeypatch.setattr(handlers, "PIECE", PIECE)
    go_on_printing, printing = threading.Event(), threading.Event()
    usual = service.printer.render

    def slow(template: Any, values: Any) -> Rendered:
        printing.set()
        assert go_on_printing.wait(60)
        return usual(template, values)

    many = {f"child {n}": {"phq9": spread("phq9", 1)} for n in range(2 * PIECE)}
    many["child 0"] = {"asq": answers("asq", i1=1, i5=1)}
    many["the last one"] = {"phq9": answers("phq9", i9=2)}
    batch_id = upload_and_commit(service, workbook(many, service.clock.today()))
    service.printer.render = slow
    worker = service.worker()
    worker.start()
    try:
        assert printing.wait(60)
        deadline = time.monotonic() + 60
        while service.get("counsellor", f"/imports/{batch_id}")["status"] != "committed":
            assert time.monotonic() < deadline, "the file waits for the paper"
            time.sleep(0.05)
        assert (counts(service.database)["cases"], counts(service.database)["notes"]) == (2, 0)
    finally:
        go_on_printing.set()
        assert worker.stop(within=60)


# --- several workers ---------------------------------------------------------------------------------------


def test_two_workers_share_the_outbox_and_each_message_is_done_once(service, database, database_url):
    """On PostgreSQL as two machines would, each with its own connections; on SQLite as two threads of the process."""
    stage_and_commit(service)
    taken: list[str] = []
    bases = [database, database if ENGINE == "sqlite" else Database(database_url, database.keyring)]
    workers = [
        Worker(base, service.clock, HANDLERS, Tools(service.clock, service.printer), timed=())
        for base in bases
    ]
    failed: list[BaseException] = []

    def work(worker: Worker) -> None:
        try:
            while not done():
                worker.run_all()
        except BaseException as error:
            failed.append(error)

    def done() -> bool:
        with database.look() as session:
            return not outbox.count_waiting(session)

    faults.arm("worker-claimed", lambda: taken.append(threading.current_thread().name))
    threads = [
        threading.Thread(target=work, args=(worker,), name=f"worker {n}") for n, worker in enumerate(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    if bases[1] is not database:
        bases[1].close()
    assert counts(service.database) == COUNTS
    assert max(service.printer.asked.values()) == 1
    with database.look() as session:
        attempts = session.scalars(select(OutboxMessage.attempts)).all()
    assert set(attempts) == {1}
    assert len(taken) == len(attempts)
