"""The loop on real answers: workbook in, plans and PDF notes out, the clinic's answer back, and every count held.

The answers are real (two waves of PHQ-9 and GAD-7 of 200 persons, 2,000 PHQ-9 sheets of the US health survey with
their codes for *refused* and *don't know*); names, numbers and guardians are made up here, and nothing is kept.
Expected numbers come from :mod:`tests.journeys.reference`, which shares no code with the product.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pypdf
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referral.actions.referrals import NOTE_TOPIC
from referral.models.case import Assessment, Case
from referral.models.plan import PlanVersion
from referral.models.referral import Referral, ReferralNote
from referral.models.task import Task
from referral.terms import ReferralStatus, TaskKind
from screening.core import audit, documents
from screening.core.outbox import OutboxMessage, count_waiting
from screening.core.paper import Printer, Rendered
from screening.models.account import Account
from screening.models.administration import Administration
from screening.models.child import Child, Enrolment
from screening.models.import_batch import CriticalSighting
from screening.models.result import ResultStatus, ScreenResult
from screening.spreadsheets.layout import letters
from screening.spreadsheets.template import write_workbook
from tests.conftest import ENGINE
from tests.journeys.reference import Person, Row, grade
from tests.journeys.service import Service

pytestmark = pytest.mark.real

OPENS = ("high", "crisis_item")
STUDENT_NO, NAME, DAY = 0, 1, 2  # columns before the first item
SURVEY = 2000


# --- the real answers --------------------------------------------------------------------------------------


def two_waves(folder: Path) -> list[dict[str, tuple[Row, Row]]]:
    """Per person: questionnaire → the answers of wave 1 and wave 2."""
    with (folder / "phq9_gad7_two_waves" / "phq9_gad7_two_waves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def wave(row: dict[str, str], number: int, short: str, items: int) -> Row:
        return [int(row[f"t{number}_{short}{n}"]) for n in range(1, items + 1)]

    return [
        {code: (wave(row, 1, short, n), wave(row, 2, short, n)) for code, short, n in CODES} for row in rows
    ]


CODES = (("phq9", "phq", 9), ("gad7", "gad", 7))


def survey(folder: Path) -> list[Row]:
    """2,000 PHQ-9 sheets with their tenth item: all that hold a code, all partly answered ones, some wholly blank ones
    and complete ones from all over the file."""
    with gzip.open(folder / "nhanes_phq9" / "nhanes_phq9_2005_2016.csv.gz", "rt", encoding="utf-8") as file:
        names = [f"phq{n}" for n in range(1, 10)] + ["phq_difficulty"]
        rows = [[int(row[name]) if row[name] else None for name in names] for row in csv.DictReader(file)]
    coded = [row for row in rows if any(value is not None and value > 3 for value in row)]
    blank = [row for row in rows if all(value is None for value in row)]
    some = [row for row in rows if row[:9].count(None) in range(1, 9) and row not in coded]
    complete = [row for row in rows if None not in row[:9] and all((value or 0) <= 3 for value in row)]
    chosen = [*coded, *some, *blank[::20]]
    return [*chosen, *complete[:: len(complete) // SURVEY]][:SURVEY]


def is_blank(row: Row) -> bool:
    return all(value is None for value in row)


def is_refused(row: Row) -> bool:
    """Holds a code that is no answer of this questionnaire."""
    return any(value is not None and value > 3 for value in row)


# --- the printing ------------------------------------------------------------------------------------------


class EveryFew(Printer):
    """Prints the notes of one form in ``every`` and hands out the paper before it for the others.

    Printing is what takes long here. Every note of a county is really printed by the demonstration's own tests, and
    what printing shows cannot depend on the database. A form is chosen when it is first asked for and stays chosen, so
    that how many newest papers are real does not hang on how often each was printed again.
    """

    def __init__(self, every: int) -> None:
        super().__init__()
        self._every = every
        self._forms: dict[str, bool] = {}  # form number → printed for real
        self._last: Rendered | None = None

    @property
    def real(self) -> set[str]:
        return {form for form, chosen in self._forms.items() if chosen}

    def render(self, template: Any, values: Any) -> Rendered:
        chosen = self._forms.setdefault(values["form_no"], len(self._forms) % self._every == 0)
        if chosen or self._last is None:
            self._last = super().render(template, values)
        return self._last


@pytest.fixture
def service(settings, database, clock) -> Iterator[Service]:
    clock.set(clock.now().replace(hour=1))  # nine in the morning
    printer = EveryFew(5 if ENGINE == "sqlite" else 12)
    made = Service(settings, database, clock, printer)
    yield made
    made.close()


# --- the journey -------------------------------------------------------------------------------------------


class Journey:
    """The people's story. Steps are methods; what they find out is kept for the next ones."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service, self.world, self.clock = service, service.world, service.clock
        self.database = service.database
        self.waves, self.survey = two_waves(folder), survey(folder)
        self.people: dict[str, Person] = {}
        self.sighted: dict[str, str] = {}  # student number → worst grade of a refused row
        self.campaign_id = self.world.make_campaign("phq9", "gad7")
        self.expected: Counter[str] = Counter()
        self.named: dict[tuple[str, int, str], str] = {}
        self.versions: Counter[str] = Counter()  # plan versions by student number
        self.batch: Any = None

    def numbers(self) -> list[str]:
        return [f"26{n:06d}" for n in range(len(self.waves) + len(self.survey))]

    # --- first wave ----------------------------------------------------------------------------------------

    def given_a_workbook_of_two_thousand_two_hundred_children(self) -> bytes:
        """Roster, PHQ-9 and GAD-7 of the first wave, and the survey's PHQ-9 with all its codes and blanks."""
        numbers = self.numbers()
        roster = [made_up_child(place, number) for place, number in enumerate(numbers)]
        persons, others = numbers[: len(self.waves)], numbers[len(self.waves) :]
        sheets: dict[str, list[tuple[str, Row]]] = {
            "phq9": [
                *((number, person["phq9"][0]) for number, person in zip(persons, self.waves, strict=True)),
                *zip(others, self.survey, strict=True),
            ],
            "gad7": [(number, person["gad7"][0]) for number, person in zip(persons, self.waves, strict=True)],
        }
        return self._workbook(roster, sheets)

    def _workbook(self, roster: list[dict[str, Any]], sheets: dict[str, list[tuple[str, Row]]]) -> bytes:
        """The file, and what has to become of each of its rows."""
        day = self.clock.today() - timedelta(days=1)
        self.expected = Counter(rows=len(roster), good=len(roster))
        self.named = {}
        # Written children first, then sheet by sheet in the order of their codes: so their levels are reckoned.
        for code in sorted(sheets):
            for excel_row, (number, row) in enumerate(sheets[code], start=2):
                self._expect(code, excel_row, number, row)
        rows = {
            code: [
                {"student_no": number, "name": made_up_name(number)}
                | ({} if is_blank(row) else {"administered_on": day})
                | {str(n): value for n, value in enumerate(row, start=1)}
                for number, row in sheet
            ]
            for code, sheet in sheets.items()
        }
        return write_workbook(roster, rows)

    def _expect(self, code: str, excel_row: int, number: str, row: Row) -> None:
        self.expected["rows"] += 1
        if is_blank(row):
            self.expected["absent"] += 1
        elif is_refused(row):
            self.expected["refused"] += 1
            for place, value in enumerate(row):
                if value is not None and value > 3:
                    self.named[code, excel_row, letters(DAY + 1 + place)] = number
            if grade(row):
                self.sighted[number] = str(grade(row))
        else:
            self.expected["good"] += 1
            self.expected["sheets"] += 1
            said = self.people.setdefault(number, Person()).add(code, row)
            self.versions[number] += said in OPENS

    def when_the_counsellor_uploads_it(self, data: bytes) -> None:
        status, self.batch = self.service.upload("counsellor", self.campaign_id, data)
        assert status == 201, self.batch
        again, same = self.service.upload("counsellor", self.campaign_id, data)
        assert (again, same["id"]) == (200, self.batch["id"]), "the same file twice is once"

    def then_every_row_is_good_refused_by_name_or_absent(self) -> None:
        shown = self.service.get("counsellor", f"/imports/{self.batch['id']}")
        counts = {name: shown[name] for name in ("rows", "good", "refused", "absent", "written")}
        wanted = {name: self.expected[name] for name in ("rows", "good", "refused", "absent")}
        assert counts == {**wanted, "written": 0}
        assert shown["status"] == "staged"
        assert shown["more_problems"] == 0
        places = {
            (problem["sheet"], problem["row"], problem["column"])
            for problem in shown["problems"]
            if problem["severity"] == "error"
        }
        assert places == set(self.named)
        with self.database.look() as session:
            assert session.scalar(select(func.count()).select_from(Administration)) == self._stored_before()

    def _stored_before(self) -> int:
        return sum(len(person.said) for person in self.people.values()) - self.expected["sheets"]

    def when_the_counsellor_commits_the_good_rows(self) -> None:
        path = f"/imports/{self.batch['id']}/commit"
        if self.expected["refused"]:
            self.service.post("counsellor", path, {"good_rows_only": False}, expect=409)
        answer = self.service.post("counsellor", path, {"good_rows_only": bool(self.expected["refused"])})
        assert answer["status"] == "committing"

    def and_the_worker_has_nothing_left_to_do(self) -> None:
        self.service.worker().run_all()
        with self.database.look() as session:
            assert count_waiting(session) == 0
            assert (
                session.scalars(select(OutboxMessage).where(OutboxMessage.dead_at.is_not(None))).all() == []
            )

    def then_rows_are_results_and_named_refusals_and_absent(self) -> None:
        shown = self.service.get("counsellor", f"/imports/{self.batch['id']}")
        assert (shown["status"], shown["written"]) == ("committed", self.expected["good"])
        with self.database.look() as session:
            sheets = session.scalar(select(func.count()).select_from(Administration))
            results = session.scalar(select(func.count()).select_from(ScreenResult))
            assert sheets == results == self._stored_before() + self.expected["sheets"]
            kept = TaskKind.REFUSED_ROWS
            waiting = session.scalar(
                select(func.count()).select_from(Task).where(Task.kind == kept, Task.done_at.is_(None))
            )
            assert waiting == 1, "the refused rows stay with their owner"

    # --- what every child has ------------------------------------------------------------------------------

    def then_every_level_is_the_reference_s(self) -> None:
        with self.database.look() as session:
            found: dict[str, list[tuple[str, str | None]]] = {}
            for number, result in self._results(session):
                scored = result.status is ResultStatus.SCORED
                said = result.level.value if result.level else "not scored"
                found.setdefault(number, []).append((said, result.grade))
                assert scored is (result.scores["total"]["value"] is not None)
        assert found == {number: person.said for number, person in self.people.items()}
        levels = Counter(said for person in self.people.values() for said, _ in person.said)
        assert min(levels[name] for name in ("none", "elevated", "high", "crisis_item")) >= 10, levels

    def _results(self, session: Session) -> Iterator[tuple[str, ScreenResult]]:
        """In the order in which they were written."""
        numbers = self._student_numbers(session)
        rows = session.execute(
            select(ScreenResult, Administration)
            .join(Administration, Administration.id == ScreenResult.administration_id)
            .order_by(Administration.recorded_at, Administration.instrument)
        )
        for result, _ in rows:
            yield numbers[result.child_id], result

    def _student_numbers(self, session: Session) -> dict[UUID, str]:
        return {row.child_id: row.student_no for row in session.scalars(select(Enrolment))}

    def then_no_code_was_ever_summed_and_item_nine_still_rang(self) -> None:
        """A refused sheet has no result; its ninth item is a sighting, and a code in that very item is grade C."""
        refused = set(self.named.values())
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            with_result = {number for number, _ in self._results(session)}
            sighted = {
                numbers[row.child_id]: row.grade.value for row in session.scalars(select(CriticalSighting))
            }
        assert refused
        assert refused & with_result == set()
        assert sighted == self.sighted
        assert {"B", "C"} <= set(sighted.values())

    def then_whoever_needs_a_talk_has_one_due(self) -> None:
        worst = self._worst_grades()
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            talks: dict[TaskKind, set[str]] = {}
            for task in session.scalars(
                select(Task).where(Task.done_at.is_(None), Task.child_id.is_not(None))
            ):
                talks.setdefault(task.kind, set()).add(numbers[task.child_id])
        assert {n for n, g in worst.items() if g == "B"} == talks[TaskKind.SAME_DAY_TALK]
        safety = {n for n, g in worst.items() if g == "C"}
        assert safety <= talks[TaskKind.SAFETY_TALK]
        assert min(len(safety), len(talks[TaskKind.SAME_DAY_TALK])) >= 10

    def _worst_grades(self) -> dict[str, str]:
        """By child: B before C, over sheets and refused rows."""
        worst = dict(self.sighted)
        for number, person in self.people.items():
            for _, critical in person.said:
                if critical and worst.get(number) != "B":
                    worst[number] = critical
        return worst

    def opened(self) -> set[str]:
        """Who was ever at HIGH or CRISIS_ITEM, by a result or by a refused row."""
        by_result = {n for n, p in self.people.items() if any(said in OPENS for said, _ in p.said)}
        return by_result | {n for n, critical in self.sighted.items() if critical == "B"}

    def then_each_high_child_has_one_case_one_plan_one_referral_one_note(self) -> None:
        expected = self.opened()
        asked_for_a_talk = {n for n, critical in self._worst_grades().items() if critical == "C"}
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            cases = list(session.scalars(select(Case).where(Case.closed_at.is_(None))))
            assert Counter(numbers[case.child_id] for case in cases) == Counter(expected | asked_for_a_talk)
            by_id = {case.id: numbers[case.child_id] for case in cases}
            current = session.scalars(select(PlanVersion).where(PlanVersion.superseded_at.is_(None)))
            assert Counter(by_id[plan.case_id] for plan in current) == Counter(expected)
            versions = Counter(by_id[plan.case_id] for plan in session.scalars(select(PlanVersion)))
            for number, critical in self.sighted.items():
                assert critical != "B" or versions[number] == 1
            assert {n: versions[n] for n in expected} == {n: self.plan_versions(n) for n in expected}
            open_ = list(session.scalars(select(Referral).where(Referral.ended_at.is_(None))))
            assert Counter(by_id[referral.case_id] for referral in open_) == Counter(expected)
            notes = list(session.scalars(select(ReferralNote)))
            for referral in open_:
                [note] = [
                    n for n in notes if n.referral_id == referral.id and n.number == referral.note_version
                ]
                assert note.pages == 1
            overdue = select(func.count()).select_from(Task)
            overdue = overdue.where(Task.kind == TaskKind.NOTE_OVERDUE, Task.done_at.is_(None))
            assert session.scalar(overdue) == 0

    def plan_versions(self, number: str) -> int:
        """One for each sheet that opens a loop, one for a refused row that does, one for each press of a person."""
        return self.versions[number] + (self.sighted.get(number) == "B")

    def then_every_result_above_none_has_a_living_owner_and_a_due_time(self) -> None:
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            living = set(session.scalars(select(Account.id).where(Account.disabled_at.is_(None))))
            owned = set()
            for task in session.scalars(select(Task).where(Task.done_at.is_(None))):
                assert task.owner_id in living
                assert task.due_at is not None
                if task.child_id:
                    owned.add(numbers[task.child_id])
            decided = {numbers[row.child_id] for row in session.scalars(select(Assessment))}
        above = {n for n, p in self.people.items() if any(said != "none" for said, _ in p.said)}
        assert above | set(self.sighted) <= owned | decided

    def then_a_sample_of_the_notes_opens_and_is_one_page(self) -> None:
        with self.database.look() as session:
            referrals = list(
                session.scalars(select(Referral).where(Referral.ended_at.is_(None)).order_by(Referral.id))
            )
            names = {child.id: child.name for child in session.scalars(select(Child))}
            real = [each for each in referrals if each.form_no in self.service.printer.real]
            assert len(real) >= 10
            for referral in real[:: max(1, len(real) // 12)]:
                [note] = [n for n in referral.notes if n.number == referral.note_version]
                data = documents.read(session, note.document_id)
                paper = pypdf.PdfReader(io.BytesIO(data))
                assert len(paper.pages) == 1
                said = paper.pages[0].extract_text()
                assert "双向转介单" in said.replace(" ", "")
                assert referral.form_no in said
                assert names[referral.child_id] in said
                assert ("尚未面谈" in said.replace("\n", "")) is (referral.sent_at is None)

    def then_the_trail_holds(self) -> None:
        with self.database.begin() as session:
            while audit.seal_tail(session):
                session.flush()
        with self.database.look() as session:
            verdict = audit.verify(session)
        assert (verdict.unsealed, verdict.wrong_at) == (0, None)
        assert verdict.checked > 1000

    # --- the clinic ----------------------------------------------------------------------------------------

    def when_the_counsellor_has_seen_some_children_and_sends(self) -> None:
        """Four of the two-wave persons and two of the survey, worst first as the list shows them."""
        opened, numbers = self.opened(), self.numbers()
        persons = [n for n in numbers[: len(self.waves)] if n in opened]
        others = [n for n in numbers[len(self.waves) :] if n in opened and n in self.people]
        self.sent = [*persons[:4], *others[:2]]
        self.cases = self._cases()
        for number in self.sent:
            answer = self.service.post(
                "counsellor", f"/cases/{self.cases[number]}/assessments", self._talk(number)
            )
            assert (answer["plan_confirmed"], answer["sent"], answer["waits_for"]) == (True, True, None)
            self.versions[number] += 1

    def _cases(self) -> dict[str, UUID]:
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            return {
                numbers[case.child_id]: case.id
                for case in session.scalars(select(Case).where(Case.closed_at.is_(None)))
            }

    def _talk(self, number: str) -> dict[str, Any]:
        return {
            "held_at": self.clock.now().isoformat(),
            "channel": "in_person",
            "tier": "focus",
            "reason": "情绪低落,睡眠差,愿意接受帮助。",
            "concern": 2,
            "harm_answer": "none",
            "words": {
                "observed": "近三周睡眠差,上课走神,与同学来往减少。",
                "done_so_far": "已面谈一次,已请班主任留意。",
                "help_wanted": ["assessment", "school_advice"],
                "safety": {"signs": ["none_found"], "asked_at": self.clock.now().isoformat()},
                "sign": True,
            },
            "send": True,
        }

    def then_the_clinic_finds_them_with_their_notes(self) -> None:
        self.inbox = self.service.get("clinic_intake", "/referrals")
        assert sorted(line["child_name"] for line in self.inbox) == sorted(map(made_up_name, self.sent))
        assert {line["status"] for line in self.inbox} == {"sent"}
        for line in self.inbox:
            data = self.service.get("clinic_intake", f"/referrals/{line['id']}/note.pdf")
            assert len(pypdf.PdfReader(io.BytesIO(data)).pages) == 1
            shown = self.service.get("clinic_intake", f"/referrals/{line['id']}")
            assert "probability" not in str(shown)

    def when_the_clinic_accepts_and_gives_a_time(self) -> None:
        at = (self.clock.now() + timedelta(days=1)).isoformat()
        for line in self.inbox:
            self.service.post("clinic_intake", f"/referrals/{line['id']}/receive")
            self.service.post("clinic_intake", f"/referrals/{line['id']}/accept", {"contact": "许星河"})
            body = {"at": at, "place": "门诊三楼心理科"}
            self.service.post("clinic_intake", f"/referrals/{line['id']}/schedule", body)

    def and_the_children_come_and_the_return_notes_are_written(self) -> None:
        self.clock.forward(timedelta(days=1, hours=2))
        for line in self.inbox:
            self.service.post("clinic_intake", f"/referrals/{line['id']}/attended")
            self.service.post(
                "clinician",
                f"/referrals/{line['id']}/return-notes",
                {
                    "visit_on": self.clock.today().isoformat(),
                    "outcome": "watch_and_review",
                    "finding": "subthreshold",
                    "assessor_saw_probability": False,
                    "risk_now": "low",
                    "attendance": "full",
                    "advice": {"school_advice": "规律作息,每周一次谈话。", "warning_signs": "连续三天不睡"},
                    "guardian_agreed": True,
                },
            )

    def then_they_land_on_the_counsellor_s_list(self) -> None:
        lines = self.service.get("counsellor", "/tasks")
        kinds = Counter(line["kind"] for line in lines)
        assert kinds["return_note_read"] == len(self.sent)

    def when_the_counsellor_reads_reviews_the_plans_and_closes_half_of_them(self) -> None:
        """The other half stays with the clinic, so that the second wave finds both."""
        by_name = {line["child_name"]: line["id"] for line in self.inbox}
        self.completed = self.sent[::2]
        for number in self.completed:
            path = f"/referrals/{by_name[made_up_name(number)]}"
            self.service.post("counsellor", f"{path}/acknowledge")
            self.service.post("counsellor", f"{path}/complete", expect=409)  # the plan has not been looked at
            self.service.post(
                "counsellor", f"/cases/{self.cases[number]}/plans", {"reason": "按回转单调整", "keep": None}
            )
            self.versions[number] += 1
            shown = self.service.post("counsellor", f"{path}/complete")
            assert shown["status"] == "completed"

    def then_those_referrals_have_ended_and_the_clinic_no_longer_sees_them(self) -> None:
        left = {line["child_name"] for line in self.service.get("clinic_intake", "/referrals")}
        assert left == {made_up_name(number) for number in self.sent if number not in self.completed}
        for line in self.inbox:
            gone = line["child_name"] not in left
            answer = self.service.client.get(
                f"/api/v1/referrals/{line['id']}", headers=self.service.headers("clinic_intake")
            )
            assert (answer.status_code == 404) is gone

    # --- second wave ---------------------------------------------------------------------------------------

    def given_a_second_workbook_three_weeks_later(self) -> bytes:
        self.clock.forward(timedelta(days=20))
        self.before = {n: self.plan_versions(n) for n in self.numbers()}
        persons = self.numbers()[: len(self.waves)]
        sheets = {
            code: [(number, person[code][1]) for number, person in zip(persons, self.waves, strict=True)]
            for code, _, _ in CODES
        }
        return self._workbook([], sheets)

    def then_a_second_high_sheet_made_a_plan_version_and_no_second_referral(self) -> None:
        again = {n for n in self.opened() if self.before[n] and self.plan_versions(n) > self.before[n]}
        assert len(again) >= 10
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            referrals: dict[str, list[ReferralStatus]] = {}
            for referral in session.scalars(select(Referral).order_by(Referral.drafted_at)):
                referrals.setdefault(numbers[referral.child_id], []).append(referral.status)
            for number in again:
                # Only where the first one had been completed is there something new to refer.
                ended = [ReferralStatus.COMPLETED] if number in self.completed else []
                assert referrals[number][:-1] == ended
            with_clinic = [n for n in again if n in self.sent and n not in self.completed]
            updates = {
                numbers[task.child_id]
                for task in session.scalars(
                    select(Task).where(Task.kind == TaskKind.REFERRAL_UPDATE, Task.done_at.is_(None))
                )
            }
            assert updates == set(with_clinic)

    def then_open_referrals_are_one_per_child_that_needs_one(self) -> None:
        with self.database.look() as session:
            numbers = self._student_numbers(session)
            open_ = Counter(
                numbers[r.child_id]
                for r in session.scalars(select(Referral).where(Referral.ended_at.is_(None)))
            )
        settled = {n for n in self.completed if self.plan_versions(n) == self.before[n]}
        assert open_ == Counter(self.opened() - settled)

    def then_papers_were_made_once_per_order(self) -> None:
        with self.database.look() as session:
            ordered = session.scalar(
                select(func.count()).select_from(OutboxMessage).where(OutboxMessage.topic == NOTE_TOPIC)
            )
            made = session.scalar(select(func.count()).select_from(ReferralNote))
            referrals = list(session.scalars(select(Referral)))
            assert sum(referral.note_version for referral in referrals) == ordered
            assert len(referrals) <= made <= ordered


def made_up_name(number: str) -> str:
    """Two characters that nobody chose: the same for the same number."""
    place = int(number[2:])
    return f"{'赵钱孙李周吴郑王冯陈'[place % 10]}{chr(0x4E00 + 7 * place % 3000)}{chr(0x4E00 + place)}"


def made_up_child(place: int, number: str) -> dict[str, Any]:
    return {
        "student_no": number,
        "name": made_up_name(number),
        "sex": ("male", "female")[place % 2],
        "birth_date": date(2012, 1 + place % 8, 1 + place % 27),
        "grade": ("七年级", "八年级")[place % 2],
        "class_name": f"{1 + place % 40}班",
        "guardian_name": made_up_name(number)[0] + "家长",
        "guardian_relation": "母亲",
        "guardian_phone": f"139{place:08d}",
        "screening_consent": True,
        "share_consent": True,
        "consent_on": date(2026, 9, 3),
    }


def test_real_answers_go_in_and_the_clinic_s_answer_comes_back(service, real_data):
    journey = Journey(service, real_data)
    data = journey.given_a_workbook_of_two_thousand_two_hundred_children()
    journey.when_the_counsellor_uploads_it(data)
    journey.then_every_row_is_good_refused_by_name_or_absent()
    journey.when_the_counsellor_commits_the_good_rows()
    journey.and_the_worker_has_nothing_left_to_do()
    journey.then_rows_are_results_and_named_refusals_and_absent()
    journey.then_every_level_is_the_reference_s()
    journey.then_no_code_was_ever_summed_and_item_nine_still_rang()
    journey.then_whoever_needs_a_talk_has_one_due()
    journey.then_each_high_child_has_one_case_one_plan_one_referral_one_note()
    journey.then_every_result_above_none_has_a_living_owner_and_a_due_time()
    journey.then_a_sample_of_the_notes_opens_and_is_one_page()

    journey.when_the_counsellor_has_seen_some_children_and_sends()
    journey.and_the_worker_has_nothing_left_to_do()
    journey.then_the_clinic_finds_them_with_their_notes()
    journey.when_the_clinic_accepts_and_gives_a_time()
    journey.and_the_children_come_and_the_return_notes_are_written()
    journey.then_they_land_on_the_counsellor_s_list()
    journey.when_the_counsellor_reads_reviews_the_plans_and_closes_half_of_them()
    journey.then_those_referrals_have_ended_and_the_clinic_no_longer_sees_them()

    second = journey.given_a_second_workbook_three_weeks_later()
    journey.when_the_counsellor_uploads_it(second)
    journey.then_every_row_is_good_refused_by_name_or_absent()
    journey.when_the_counsellor_commits_the_good_rows()
    journey.and_the_worker_has_nothing_left_to_do()
    journey.then_every_level_is_the_reference_s()
    journey.then_a_second_high_sheet_made_a_plan_version_and_no_second_referral()
    journey.then_open_referrals_are_one_per_child_that_needs_one()
    journey.then_every_result_above_none_has_a_living_owner_and_a_due_time()
    journey.then_papers_were_made_once_per_order()
    journey.then_the_trail_holds()
