"""The loop as a hypothesis machine: people press what they like in any order, against the real actions and database.

Every rule is something a person or the clock does. The model (``loop_model``) says whether it is possible and what
it leads to; what is impossible has to be refused by a rule of ours and to change nothing. After each step the
promises of ``xinqiao check`` hold and the model and the database say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

from api.cli import check
from instruments import SheetConditions, catalogue
from referral import intake
from referral.actions import (
    answers,
    cases,
    crises,
    followups,
    guardians,
    plans,
    referrals,
    reroutes,
    return_notes,
    tasks,
)
from referral.actions.guardians import GuardianAnswer
from referral.actions.return_notes import ReturnNoteIn
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.plan import PlanVersion
from referral.models.referral import Referral
from referral.models.task import Task, TaskRing
from referral.queries.people import people_of
from referral.queries.plan_facts import current_facts
from referral.terms import (
    Attendance,
    CrisisStep,
    DeclineReason,
    Finding,
    FollowUpChannel,
    HarmAnswer,
    NoShowReason,
    Origin,
    Outcome,
    RefusalReason,
    ReleaseMode,
    RiskNow,
    StepResult,
    TaskKind,
    Tier,
)
from screening.core.audit import AuditRow
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import DomainError
from screening.core.outbox import OutboxMessage
from screening.models.administration import Administration
from screening.models.campaign import Campaign
from screening.models.child import AccessGrant, Child
from screening.models.consent import Purpose
from screening.models.import_batch import BatchStatus, CriticalSighting, ImportBatch
from screening.models.organisation import Organisation
from screening.models.result import ScreenResult
from screening.spreadsheets.reader import read_workbook
from tests.journeys.loop_model import (
    ASKED,
    ASSESSORS,
    BY_FACILITY,
    CRISIS_HANDS,
    ENDED,
    LEVELS,
    ONLY_WHILE,
    OUTLIVES,
    SCHOOL,
    STAND_DOWN_STEPS,
    STEPS,
    Crisis,
    File,
    Kid,
    Model,
    Ref,
    may_stand_down,
    may_step,
    others_give_way,
    worst,
)
from tests.journeys.worlds import QUOTA, STAFF, WEEKLY, World, agree
from tests.referral.county import answers as of_items
from tests.referral.county import phq9 as phq9_answers
from tests.screening.workbooks import PHQ9, workbook

MOST_KIDS = 4
# The last press of hypothesis' drawing is the most complicated one; the first the one it shrinks to.
KID = st.integers(0, MOST_KIDS - 1)
WHO = st.sampled_from(("right", "right", "other", "right", "clerk"))
WAITS = st.sampled_from((1, 5, 20, 30, 60, 60 * 5, 60 * 24, 60 * 24 * 3, 60 * 24 * 8, 60 * 24 * 20))
TIERS = st.sampled_from((Tier.WATCH, Tier.FOCUS, Tier.CRISIS, None))
INSTANT = timedelta(seconds=1)  # no two people press at the same instant
# No change without a row in one of these: the trail, the messages, what was seen in a file.
WRITTEN = (AuditRow, OutboxMessage, CriticalSighting, TaskRing)
HONEST = (82, 84, 86, 88, 90, 92, 94)  # MHT: seven of these make the sheet invalid

# How far a child has come before the machine begins.
_SENT = ("sheet", "talk")
_SEEN_THERE = (*_SENT, "accept", "schedule", "attended")
PASTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "high": ("sheet",),
    "danger": ("danger",),
    "refused": ("sheet", "refuse"),
    "unseen": ("sheet", "tell_guardian", "week"),
    "sent": _SENT,
    "silent": (*_SENT, "week"),
    "declined": (*_SENT, "decline"),
    "accepted": (*_SENT, "accept"),
    "missed": (*_SENT, "accept", "schedule", "no_show"),
    "attended": _SEEN_THERE,
    "returned": (*_SEEN_THERE, "return_note"),
    "completed": (*_SEEN_THERE, "return_note", "acknowledge", "review", "complete"),
}
PAST = st.sampled_from(tuple(PASTS))

Sheet = tuple[str, dict[str, object], bool]


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    """Code, answers, and whether somebody helped (the sheet is then doubtful)."""
    kind = draw(
        st.sampled_from(("low", "high", "elevated", "item9", "severe", "acute", "positive", "invalid"))
    )
    helped = draw(st.integers(0, 5)) == 5
    match kind:
        case "acute":
            return "asq", of_items("asq", {"1": 1, "5": 1}), False
        case "positive":
            return "asq", of_items("asq", {"2": 1}), False
        case "invalid":
            return (
                "mht",
                of_items("mht", dict.fromkeys(map(str, HONEST), 1) | {"85": draw(st.integers(0, 1))}),
                False,
            )
        case "item9":
            return "phq9", phq9_answers(draw(st.integers(0, 3)), total=draw(st.integers(0, 24))), helped
    total = {"low": 2, "high": 11, "elevated": 10, "severe": 22}[kind]
    return "phq9", phq9_answers(0, total=total), helped


class Loop(RuleBasedStateMachine):
    """One county. ``world`` is put in by the test."""

    make_world: Callable[[], World]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).make_world()
        self.county, self.database, self.clock = self.world.county, self.world.database, self.world.clock
        self.model = Model()
        self.uploads = 0
        self.seen: dict[str, Any] | None = None
        self.refusing: bool | None = None
        self.waited = 0
        self.looked_at: tuple[Any, ...] = ()

    # --- the world -----------------------------------------------------------------------------------------

    @initialize(at_once=st.booleans(), share=st.sampled_from((True, None)), pasts=st.tuples(PAST, PAST))
    def found(self, at_once: bool, share: bool | None, pasts: tuple[str, str]) -> None:
        """Three children, two of them with a past: a life of thirty steps then gets somewhere."""
        self.model.at_once = at_once
        if at_once:
            self.clock.forward(timedelta(minutes=1))
            with self.database.begin() as session:
                agree(self.county, session, "clinic", ReleaseMode.AT_ONCE)
        for consents in (True, True, share):
            self.enrol(True, consents)
        for index, past in enumerate(pasts):
            for step in PASTS[past]:
                self.relive(index, step)

    def relive(self, index: int, step: str) -> None:
        match step:
            case "sheet":
                self.submit(index, ("phq9", phq9_answers(0, total=11), False), 0)
            case "danger":
                self.submit(index, ("asq", of_items("asq", {"1": 1, "5": 1}), False), 0)
            case "talk":
                self.assess(self.place_of(index), "right", Tier.FOCUS, send=True, harm=HarmAnswer.NONE)
            case "review":
                self.review_plan(self.place_of(index), "right")
            case "week":
                self.wait(60 * 24 * 8, outage=True)
            case _:
                file = self.kid(index).file
                if file is not None and file.living is not None:
                    self.press(file.living, step, "right")

    @precondition(lambda self: len(self.model.kids) < MOST_KIDS)
    @rule(screening=st.sampled_from((True, None, False)), share=st.sampled_from((True, None, False)))
    def enrol(self, screening: bool | None, share: bool | None) -> None:
        [pupil] = self.county.enrol(screening=screening, share=share)
        self.model.kids.append(Kid(pupil, pupil.student_no, pupil.name, screening, share))

    def kid(self, index: int) -> Kid:
        return self.model.kids[index % len(self.model.kids)]

    def known(self) -> list[Kid]:
        """Children with a case, open or closed."""
        return [kid for kid in self.model.kids if kid.file is not None or kid.former]

    def place_of(self, index: int) -> int:
        return self.known().index(self.kid(index))

    def known_kid(self, index: int) -> Kid:
        known = self.known()
        return known[index % len(known)]

    @property
    def now(self):
        return self.clock.now()

    def attempt(self, possible: bool, do: Callable[[Any], Any]) -> Any:
        """One press. Possible: it has to work. Impossible: a rule of ours says no, and nothing has changed."""
        self.clock.forward(INSTANT)
        done, refused = None, None
        try:
            with self.database.begin() as session:
                done = do(session)
        except DomainError as said:
            refused = said
        assert (refused is None) is possible, f"refused: {refused}" if refused else "an impossible press"
        # Of several presses in one step, one that worked has changed something.
        self.refusing = not possible and self.refusing is not False
        return done

    # --- sheets --------------------------------------------------------------------------------------------

    @rule(index=KID, sheet=sheets(), ago=st.sampled_from((0, 0, 0, 1, 20)))
    def submit(self, index: int, sheet: Sheet, ago: int) -> None:
        kid, (code, given, helped) = self.kid(index), sheet
        self.clock.forward(INSTANT)
        day = self.clock.today() - timedelta(days=ago)
        said = self.county.submit(
            kid.pupil, code, given, on=day, conditions=SheetConditions(helped=True) if helped else None
        )
        possible = kid.screening is True and (code, "", day) not in kid.taken
        assert (said.refused is None) is possible, said.refused
        if possible:
            kid.taken.add((code, "", day))
            self.check_floor(code, given, said.result)
        self.absorb()

    @rule(index=KID, ninth=st.sampled_from((5, "x", "3.5")))
    def submit_what_cannot_be_read(self, index: int, ninth: object) -> None:
        kid = self.kid(index)
        self.clock.forward(INSTANT)
        said = self.county.submit(kid.pupil, "phq9", phq9_answers(ninth))
        assert said.refused is not None
        self.absorb()

    def check_floor(self, code: str, given: dict[str, object], result: ScreenResult) -> None:
        """The level is never under what the answers themselves ask for (decisions 17, 19, 35)."""
        least = "none"
        if code == "phq9":
            values = [v for v in given.values() if isinstance(v, int)]
            ninth = given["9"]
            least = worst(
                "high" if sum(values) >= 20 else "elevated" if sum(values) >= 10 else "none",
                {0: "none", 1: "elevated", 2: "crisis_item", 3: "crisis_item"}[ninth],
            )
        elif code == "asq":
            least = "crisis_item"
        elif result.level is None:
            return
        assert LEVELS.index(result.level) >= LEVELS.index(least), (result.level, least)

    # --- a workbook ----------------------------------------------------------------------------------------

    @rule(
        rows=st.lists(
            st.tuples(KID, st.sampled_from((0, 1, 2, 3, 5, "x")), st.integers(0, 20), st.booleans()),
            min_size=1,
            max_size=3,
            unique_by=lambda row: row[0],
        ),
        stranger=st.sampled_from((None, 0, 3)),
        press=st.sampled_from((True, True, False)),
    )
    def bring_workbook(
        self, rows: list[tuple[int, object, int, bool]], stranger: int | None, press: bool
    ) -> None:
        """Staged; committed with its good rows, or not at all; written by the worker."""
        self.uploads += 1
        day = self.clock.today()
        lines, expected, used = [], [], set()
        for index, ninth, total, wrong_name in rows:
            kid = self.kid(index)
            if kid.number in used:
                continue
            used.add(kid.number)
            values = list(phq9_answers(ninth, total=total).values())
            name = "王错名" if wrong_name else kid.name
            lines.append([kid.number, name, day, *values])
            good = not wrong_name and ninth in (0, 1, 2, 3) and kid.screening is True
            if good and ("phq9", "", day) not in kid.taken:
                expected.append((kid, values))
        if stranger is not None:
            lines.append([f"9999{self.uploads:04d}", "赵无名", day, *phq9_answers(stranger).values()])
        book = {"phq9": [PHQ9, *lines]}
        data = workbook(book)
        parsed = read_workbook(data, catalogue(), today=day)
        with self.database.begin() as session:
            batch = intake.stage(
                session,
                actor=self.county.actors["counsellor"],
                campaign=session.get_one(Campaign, self.county.campaign_id),
                data=data,
                file_name=f"{self.uploads}.xlsx",
                parsed=parsed,
                now=self.now,
            )
            again = intake.stage(
                session,
                actor=self.county.actors["counsellor"],
                campaign=session.get_one(Campaign, self.county.campaign_id),
                data=data,
                file_name=f"{self.uploads}.xlsx",
                parsed=parsed,
                now=self.now,
            )
            assert again is batch
            batch_id, status = batch.id, batch.status
        self.absorb()
        if not press:
            return
        # The same rows of the same day once more are the file of before: pressing again is pressing once.
        self.attempt(
            status is not BatchStatus.REFUSED,
            lambda session: intake.commit(
                session,
                actor=self.county.actors["counsellor"],
                batch=session.get_one(ImportBatch, batch_id),
                good_rows_only=True,
                now=self.now,
            ),
        )
        if status is not BatchStatus.STAGED:
            return
        known = set(self.model.results)
        self.world.work()
        with self.database.look() as session:
            assert session.get_one(ImportBatch, batch_id).status is BatchStatus.COMMITTED
            stored = {r.child_id: r for r in session.scalars(select(ScreenResult)) if r.id not in known}
            assert stored.keys() == {kid.pupil.id for kid, _ in expected}
            for kid, values in expected:
                kid.taken.add(("phq9", "", day))
                self.check_floor("phq9", dict(zip("123456789", values, strict=True)), stored[kid.pupil.id])
        self.absorb()

    # --- what a signal asks for ----------------------------------------------------------------------------

    def absorb(self) -> None:
        """Read what was stored since, and let the model draw the same conclusions."""
        with self.database.look() as session:
            new = [r for r in session.scalars(select(ScreenResult)) if r.id not in self.model.results]
            seen = [s for s in session.scalars(select(CriticalSighting)) if s.id not in self.model.sightings]
            grades: dict[UUID, list[str]] = {}
            for sighting in seen:
                self.model.sightings.add(sighting.id)
                if (self.clock.today() - sighting.answered_on).days <= 14:
                    grades.setdefault(sighting.child_id, []).append(sighting.grade.value)
            for result in new:
                self.model.results.add(result.id)
            self.adopt_files(session)
            for sighting in seen:
                self.told_since(self.by_id(sighting.child_id))
            for child_id, found in grades.items():
                grade = min((g for g in found if g in "ABC"), default=None)
                if grade is not None:
                    level = "elevated" if grade == "C" else "crisis_item"
                    self.signal(session, self.by_id(child_id), level, grade, doubtful=False)
            for result in sorted(new, key=lambda each: each.computed_at):
                if not self.is_superseded(session, result):
                    self.told_since(self.by_id(result.child_id))
                if not result.history and result.level is not None:
                    grade = result.grade.value if result.grade else None
                    doubtful = result.administration.validity.value == "doubtful"
                    self.signal(session, self.by_id(result.child_id), result.level.value, grade, doubtful)

    @staticmethod
    def is_superseded(session: Any, result: ScreenResult) -> bool:
        """A sheet that was handed in after a newer one of the same questionnaire says nothing new."""
        own = result.administration
        others = select(Administration.administered_on).where(
            Administration.child_id == own.child_id, Administration.instrument == own.instrument
        )
        return max(session.scalars(others)) > own.administered_on

    @staticmethod
    def told_since(kid: Kid) -> None:
        if kid.file is not None:
            kid.file.talk_stands = False

    def by_id(self, child_id: UUID) -> Kid:
        return next(kid for kid in self.model.kids if kid.pupil.id == child_id)

    def adopt_files(self, session: Any) -> None:
        """The ids of cases that the model is about to expect."""
        opened = select(Case.child_id, Case.id).where(Case.closed_at.is_(None))
        self.rows: dict[UUID, UUID] = dict(tuple(row) for row in session.execute(opened))

    def open_file(self, kid: Kid) -> File:
        if kid.file is None:
            kid.file = File(self.rows[kid.pupil.id], talk=kid.waits_without_case)
            kid.waits_without_case = False
        return kid.file

    def signal(self, session: Any, kid: Kid, level: str, grade: str | None, doubtful: bool) -> None:
        if level in ("high", "crisis_item"):
            file = self.open_file(kid)
            file.worst = worst(file.worst, level)
            file.plans, file.plan = file.plans + 1, "drafted"
            if grade == "A":
                self.expect_crisis(session, file)
            else:
                file.talk = True
            living = file.living
            if file.talk_stands:
                # The talk came after these answers: whether a referral is needed is what it has said.
                return
            if living is None:
                living = self.adopt_referral(session, file)
            self.raise_urgency(session, living)
            self.leave_at_once(session, kid, file, living, doubtful)
        elif grade == "C":
            file = self.open_file(kid)
            file.worst, file.talk = worst(file.worst, level), True
        elif level == "elevated":
            if kid.file is None:
                kid.waits_without_case = True
            else:
                kid.file.talk = True

    def expect_crisis(self, session: Any, file: File) -> None:
        if file.crisis is None:
            known = {crisis.id for crisis in file.crises}
            [new] = [
                row.id
                for row in session.scalars(select(CrisisEpisode).where(CrisisEpisode.case_id == file.id))
                if row.id not in known
            ]
            file.crises.append(Crisis(new))

    def adopt_referral(self, session: Any, file: File, *, among: int = 1) -> Ref:
        """The draft that has to be there now."""
        known = {ref.id for ref in file.refs}
        rows = [
            row
            for row in session.scalars(select(Referral).where(Referral.case_id == file.id))
            if row.id not in known
        ]
        assert len(rows) == among, "a draft referral was expected"
        [row] = rows
        place = next((c for c in STAFF if self.county.places[c].id == row.facility_id), None)
        ref = Ref(row.id, place, row.urgency.value, "draft")
        file.refs.append(ref)
        return ref

    def raise_urgency(self, session: Any, ref: Ref) -> None:
        """Before it has left, a graver signal makes it more urgent, never less."""
        if ref.is_unsent:
            order = ("routine", "urgent", "emergency")
            now = session.get_one(Referral, ref.id).urgency.value
            assert order.index(now) >= order.index(ref.urgency)
            ref.urgency = now

    def leave_at_once(self, session: Any, kid: Kid, file: File, ref: Ref, doubtful: bool) -> None:
        """Where county and clinic have agreed so, within the number agreed on (decision 2)."""
        may = (
            self.model.at_once
            and ref.place == "clinic"
            and ref.is_unsent
            and ref.status != "guardian_refused"
            and kid.share is True
            and not doubtful
            and file.may_leave(ref)
            and ref.urgency != "emergency"
            and kid.harm not in ("home", "school", "other")
            and not self.is_held(ref)
            and self.model.unseen_this_week(ref.place, self.now) < WEEKLY
        )
        if may:
            ref.to("sent")
            self.model.left_unseen.append(("clinic", self.now))

    def is_held(self, ref: Ref) -> bool:
        return ref.held_until is not None and self.clock.today() <= ref.held_until

    @rule(index=KID)
    def raise_worry(self, index: int) -> None:
        kid = self.kid(index)

        def do(session: Any) -> None:
            child_row = session.get_one(Child, kid.pupil.id)
            school = session.get_one(Organisation, child_row.organisation_id)
            cases.raise_worry(
                session,
                actor=self.county.actors["counsellor"],
                child=child_row,
                people=people_of(session, organisation=school, now=self.now),
                origin=Origin.TEACHER,
                now=self.now,
            )

        self.attempt(True, do)
        with self.database.look() as session:
            self.adopt_files(session)
        self.open_file(kid).talk = True

    # --- the talk ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.known())
    @rule(
        index=KID,
        who=WHO,
        tier=TIERS,
        send=st.booleans(),
        harm=st.sampled_from((HarmAnswer.NONE, None, HarmAnswer.HOME)),
    )
    def assess(self, index: int, who: str, tier: Tier | None, send: bool, harm: HarmAnswer | None) -> None:
        kid = self.known_kid(index)
        file = kid.file or kid.former[-1]
        by = self.person(who, ASSESSORS)
        send = send and tier is not None
        living = file.living
        possible = by in ASSESSORS and file is kid.file
        if possible and tier is None:
            possible = (
                file.status in ("intake", "assessing")
                and file.crisis is None
                and all(ref.is_unsent for ref in file.refs if ref.is_open)
            )
        if possible and send and living is not None and living.is_unsent and kid.share:
            possible = living.status != "guardian_refused" and living.place is not None

        def do(session: Any) -> Any:
            return self.conclude(session, kid, file, by, tier, send, harm)

        done = self.attempt(possible, do)
        if done is None:
            return
        file.talk, file.seen, file.talk_stands = False, True, True
        if harm is not None:
            kid.harm = harm.value
        if tier is None:
            for ref in file.refs:
                if ref.is_open:
                    ref.to("withdrawn")
            self.close(kid)
            return
        file.status = "active" if file.status in ("intake", "assessing") else file.status
        grave = {file.tier, tier.value} & {"focus", "crisis"}  # reached, or stepped down from
        file.tier, file.plans, file.plan = tier.value, file.plans + 1, "confirmed"
        file.unsigned_by = by if grave or file.unsigned_by else None
        with self.database.look() as session:
            self.after_talk(session, kid, file, send, done)

    def conclude(
        self,
        session: Any,
        kid: Kid,
        file: File,
        by: str,
        tier: Tier | None,
        send: bool,
        harm: HarmAnswer | None,
    ) -> Any:
        from referral.actions import assessments

        return assessments.conclude(
            session,
            actor=self.county.actors[by],
            case=session.get_one(Case, file.id),
            child=session.get_one(Child, kid.pupil.id),
            assessment=assessments.AssessmentIn(
                held_at=self.now,
                channel=FollowUpChannel.IN_PERSON,
                tier=tier,
                screened_out=tier is None,
                reason="面谈所见",
                harm_answer=harm,
                words=self.county.words() if send else {},
                send=send,
            ),
            now=self.now,
        )

    def after_talk(self, session: Any, kid: Kid, file: File, send: bool, done: Any) -> None:
        living = file.living
        if living is None:
            drafted = session.scalar(
                select(func.count()).select_from(Referral).where(Referral.case_id == file.id)
            )
            if not send and drafted == len(file.refs):
                return  # nothing in the talk asked for one
            living = self.adopt_referral(session, file)
        self.raise_urgency(session, living)
        living.words = living.words or (send and living.is_unsent)
        if not send or not living.is_unsent:
            assert not done.sent
        elif kid.share:
            living.to("sent")
            assert done.sent
        else:
            assert done.waits_for == "guardian"
            living.status = "ready" if living.status == "ready" else "awaiting_guardian"

    def close(self, kid: Kid) -> None:
        file = kid.file
        assert file is not None
        file.status, file.talk, file.passed, file.unsigned_by = "closed", False, False, None
        kid.former.append(file)
        kid.file = None

    @precondition(lambda self: self.known())
    @rule(index=KID, who=st.sampled_from(("lead", "counsellor", "centre")))
    def countersign(self, index: int, who: str) -> None:
        file = self.known_kid(index).file
        if file is None:
            return
        possible = who == "lead" and file.unsigned_by is not None
        self.attempt(
            possible,
            lambda session: cases.countersign(
                session, actor=self.county.actors[who], case=session.get_one(Case, file.id), now=self.now
            ),
        )
        if possible:
            file.unsigned_by = None

    @precondition(lambda self: self.known())
    @rule(index=KID, who=WHO)
    def review_plan(self, index: int, who: str) -> None:
        file = self.known_kid(index).file
        if file is None:
            return
        by = self.person(who, ASSESSORS)
        possible = by in ASSESSORS and file.tier is not None

        def do(session: Any) -> None:
            case = session.get_one(Case, file.id)
            plans.revise(
                session,
                actor=self.county.actors[by],
                case=case,
                facts=current_facts(session, case=case, now=self.now),
                keep=None,
                reason="按回转单复核",
                now=self.now,
            )

        self.attempt(possible, do)
        if possible:
            file.plans, file.plan = file.plans + 1, "confirmed"

    # --- a referral ----------------------------------------------------------------------------------------

    def person(self, who: str, right: tuple[str, ...]) -> str:
        """``right``: somebody who may; ``other``: another who may; ``clerk``: somebody who may not."""
        return {"right": right[0], "other": right[-1], "clerk": "clerk"}[who]

    def all_refs(self) -> list[Ref]:
        return [ref for kid in self.model.kids for file in kid.files for ref in file.refs]

    @precondition(lambda self: any(ref.is_open for ref in self.all_refs()))
    @rule(nth=st.integers(0, 5), walk=st.lists(st.tuples(st.integers(0, 20), WHO), min_size=1, max_size=4))
    def go_on(self, nth: int, walk: list[tuple[int, str]]) -> None:
        """The next things that can be done with an open referral."""
        opened = [ref for ref in self.all_refs() if ref.is_open]
        ref = opened[nth % len(opened)]
        for choice, who in walk:
            presses = [name for name, table in STEPS.items() if ref.status in table]
            if presses:
                self.press(ref, presses[choice % len(presses)], who)
        # What was seen before a walk says nothing about its last press alone.
        self.refusing = False

    @precondition(lambda self: bool(self.all_refs()))
    @rule(nth=st.integers(0, 5), name=st.sampled_from(sorted(STEPS)), who=WHO)
    def press_anything(self, nth: int, name: str, who: str) -> None:
        """Any press on any referral there has ever been, by anybody."""
        known = self.all_refs()
        self.press(known[nth % len(known)], name, who)

    def press(self, ref: Ref, name: str, who: str) -> None:
        kid, file, _ = self.model.of(ref.id)
        if name in BY_FACILITY or name == "return_note":
            here = STAFF[ref.place or "clinic"]
            elsewhere = STAFF["clinic" if ref.place == "hospital" else "hospital"]
            by = {"right": here[1], "other": here[0], "clerk": elsewhere[1]}[who]
        else:
            by = self.person(who, SCHOOL[:2])
        possible = may_step(kid, file, ref, name, by, STAFF)
        done = self.attempt(possible, lambda session: self.do(session, kid, file, ref, name, by))
        if possible:
            self.stepped(kid, file, ref, name, done)

    def do(self, session: Any, kid: Kid, file: File, ref: Ref, name: str, by: str) -> Any:
        case, referral = session.get_one(Case, file.id), session.get_one(Referral, ref.id)
        child_row = session.get_one(Child, kid.pupil.id)
        who: dict[str, Any] = {"actor": self.county.actors[by], "now": self.now}
        both: dict[str, Any] = {**who, "case": case, "referral": referral}
        match name:
            case "receive":
                return answers.receive(session, referral=referral, **who)
            case "accept":
                return answers.accept(session, contact="江采薇", **both)
            case "decline":
                return answers.decline(session, reason=DeclineReason.FULL, better_place="无", **both)
            case "ask_more":
                return answers.ask_more(session, question="是否服药", **both)
            case "tell_more":
                return answers.tell_more(session, answer="否", **both)
            case "schedule":
                return answers.schedule(session, at=self.now + timedelta(days=2), place="二楼", **both)
            case "attended":
                return answers.attended(session, **both)
            case "no_show":
                return answers.no_show(session, reason=NoShowReason.FORGOT, **both)
            case "take_into_care":
                return answers.take_into_care(session, referral=referral, **who)
            case "return_note":
                return return_notes.write(session, note=self.return_note(), **both)
            case "acknowledge":
                return referrals.acknowledge(session, **both)
            case "complete":
                plan = plans.current(session, case=case)
                return referrals.complete(session, plan_status=plan.status if plan else None, **both)
            case "withdraw":
                return referrals.withdraw(session, referral=referral, reason="guardian", **who)
            case "agree" | "refuse":
                agreed = name == "agree"
                answer = GuardianAnswer(
                    agreed=agreed,
                    given_by="张大山",
                    relation="父亲",
                    channel="phone",
                    text_version="2026-1",
                    given_on=self.clock.today(),
                    refusal=None if agreed else RefusalReason.COST,
                    present="班主任",
                )
                return guardians.answered(session, child=child_row, answer=answer, **both)
            case "send" | "send_emergency":
                emergency = name == "send_emergency"
                escort = "林知远" if emergency else None
                return referrals.send(session, child=child_row, emergency=emergency, escort=escort, **both)
            case "reroute" | "ask_second_too":
                parallel = name == "ask_second_too"
                new = reroutes.reroute(
                    session, child=child_row, facility_id=None, in_parallel=parallel, **both
                )
                return new.id
            case "tell_guardian":
                return referrals.tell_guardian(session, referral=referral, **who)
            case "hold":
                until = china().add_working_days(self.clock.today(), 3)
                return referrals.hold(session, until=until, reason="家访", **both)
        raise KeyError(name)

    def return_note(self) -> ReturnNoteIn:
        return ReturnNoteIn(
            visit_on=self.clock.today(),
            outcome=Outcome.OUTPATIENT_CARE,
            finding=Finding.NEEDS_CARE,
            assessor_saw_probability=False,
            risk_now=RiskNow.LOW,
            attendance=Attendance.FULL,
            advice="规律作息",
            clinical=None,
            next_visit_on=None,
            guardian_agreed=False,
        )

    def stepped(self, kid: Kid, file: File, ref: Ref, name: str, done: Any) -> None:
        """What the press has led to, in the model."""
        if name in STEPS and ref.status in STEPS[name]:
            ref.to(STEPS[name][ref.status])
        match name:
            case "accept":
                others_give_way(file, ref)
            case "ask_more":
                ref.asked_at = self.now
            case "return_note":
                file.plan = "review_due" if file.plan is not None else None
            case "agree" | "refuse":
                kid.share, ref.told = name == "agree", True
            case "tell_guardian":
                ref.told = True
            case "hold":
                ref.holds += 1
                ref.held_until = china().add_working_days(self.clock.today(), 3)
            case "reroute" | "ask_second_too":
                with self.database.look() as session:
                    new = self.adopt_referral(session, file)
                assert new.id == done
                new.told, new.words = ref.told, ref.words

    @rule(index=KID)
    def withdraw_consent_to_share(self, index: int) -> None:
        """The guardian takes the consent back: nothing more leaves on its ground."""
        kid = self.kid(index)
        self.clock.forward(INSTANT)
        self.county.consent(kid.pupil, Purpose.SHARE_FACILITY, False)
        kid.share = False

    # --- danger --------------------------------------------------------------------------------------------

    @precondition(lambda self: bool(self.all_crises()))
    @rule(index=KID, who=st.sampled_from((*CRISIS_HANDS, "clerk", "intake")))
    def take_crisis(self, index: int, who: str) -> None:
        file, crisis = self.a_crisis(index)
        self.attempt(
            who in CRISIS_HANDS,
            lambda session: crises.take(
                session,
                actor=self.county.actors[who],
                case=session.get_one(Case, file.id),
                episode=session.get_one(CrisisEpisode, crisis.id),
                now=self.now,
            ),
        )
        if who in CRISIS_HANDS and crisis.taken_by is None:
            crisis.taken_by = who
            kid = next(kid for kid in self.model.kids if file in kid.files)
            sees = any(f.passed or any(c.opened_file and not c.over for c in f.crises) for f in kid.files)
            crisis.opened_file = who == "centre" and not sees

    @precondition(lambda self: bool(self.all_crises()))
    @rule(
        index=KID,
        steps=st.just([(step, "done") for step in STAND_DOWN_STEPS])
        | st.lists(
            st.tuples(
                st.sampled_from(STAND_DOWN_STEPS), st.sampled_from(("done", "done", "not_needed", "blocked"))
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def write_down_steps(self, index: int, steps: list[tuple[str, str]]) -> None:
        _, crisis = self.a_crisis(index)
        for step, result in steps:
            self.attempt(
                not crisis.over,
                lambda session, step=step, result=result: crises.record_step(
                    session,
                    actor=self.county.actors["counsellor"],
                    episode=session.get_one(CrisisEpisode, crisis.id),
                    step=CrisisStep(step),
                    result=StepResult(result),
                    happened_at=self.now,
                    place=None,
                    remark="已说明",
                    now=self.now,
                ),
            )
            if not crisis.over:
                crisis.steps[step] = result

    @precondition(lambda self: bool(self.all_crises()))
    @rule(index=KID, who=st.sampled_from(("lead", "counsellor")))
    def stand_down(self, index: int, who: str) -> None:
        file, crisis = self.a_crisis(index)
        with self.database.look() as session:
            report = select(Task.id).where(
                Task.case_id == file.id, Task.kind == TaskKind.MANDATORY_REPORT, Task.done_at.is_(None)
            )
            owed = session.scalars(report).first() is not None
        possible = may_stand_down(crisis, who) and not owed
        self.attempt(
            possible,
            lambda session: crises.stand_down(
                session,
                actor=self.county.actors[who],
                case=session.get_one(Case, file.id),
                episode=session.get_one(CrisisEpisode, crisis.id),
                safety_plan_done=True,
                review_meeting_on=self.clock.today() + timedelta(days=3),
                now=self.now,
            ),
        )
        if possible:
            crisis.over = True

    def all_crises(self) -> list[tuple[File, Crisis]]:
        return [(file, crisis) for kid in self.model.kids for file in kid.files for crisis in file.crises]

    def a_crisis(self, index: int) -> tuple[File, Crisis]:
        known = self.all_crises()
        return known[index % len(known)]

    # --- follow-up and lists -------------------------------------------------------------------------------

    @precondition(lambda self: self.known())
    @rule(index=KID, held=st.booleans(), nth=st.integers(0, 3))
    def follow_up(self, index: int, held: bool, nth: int) -> None:
        kid = self.known_kid(index)
        files = list(kid.files)
        if not files:
            return
        file = files[-1]
        with self.database.look() as session:
            rows = session.scalars(
                select(FollowUp)
                .where(FollowUp.case_id == file.id)
                .order_by(FollowUp.due_on, FollowUp.template)
            ).all()
            if not rows:
                return
            row_id, due = rows[nth % len(rows)].id, rows[nth % len(rows)].status.value == "due"

        def do(session: Any) -> None:
            both = {
                "actor": self.county.actors["counsellor"],
                "case": session.get_one(Case, file.id),
                "follow_up": session.get_one(FollowUp, row_id),
                "now": self.now,
            }
            if held:
                followups.complete(session, channel=FollowUpChannel.PHONE, record="{}", **both)
            else:
                followups.miss(session, reason="请假", **both)

        self.attempt(due and file is kid.file, do)

    @rule(nth=st.integers(0, 30), reason=st.sampled_from(("已决定", " ")))
    def tick_off(self, nth: int, reason: str) -> None:
        """Somebody decides a line of their list."""
        with self.database.look() as session:
            place = {kid.pupil.id: index for index, kid in enumerate(self.model.kids)}
            rows = sorted(
                session.scalars(select(Task).where(Task.done_at.is_(None))),
                # Ids are drawn by chance; a life that is lived again has to meet the same line.
                key=lambda row: (row.kind, row.opened_at, row.due_at, place.get(row.child_id, -1)),
            )
            if not rows:
                return
            task = rows[nth % len(rows)]
            task_id, by = task.id, self.county.who(task.owner_id)
            possible = task.kind not in tasks.BY_EVENT and bool(reason.strip())
            assert by is not None
        self.attempt(
            possible,
            lambda session: tasks.finish(
                session,
                actor=self.county.actors[by],
                task=session.get_one(Task, task_id),
                decision="decided",
                reason=reason,
                now=self.now,
            ),
        )

    # --- time ----------------------------------------------------------------------------------------------

    @rule(minutes=WAITS, outage=st.booleans())
    def wait(self, minutes: int, outage: bool) -> None:
        """Time goes by, with the worker alive all the time, or dead until the end of it."""
        self.world.work()
        self.waited += 1
        length = timedelta(minutes=minutes)
        for _ in range(1 if outage else 3):
            self.clock.forward(length if outage else length / 3)
            self.moves_by_itself()

    @rule()
    def look_again(self) -> None:
        """What is due has been done: a second look does nothing."""
        self.moves_by_itself()
        assert self.world.tick() == 0
        assert self.world.work() == 0

    def moves_by_itself(self) -> None:
        """Clocks, ladder and worker; the model says what may and what must move."""
        now = self.now
        before = self.due_tasks()
        self.world.tick()
        self.world.work()
        with self.database.look() as session:
            for kid in self.model.kids:
                if kid.file is not None:
                    self.end_pauses(kid.file)
                    self.expire(session, kid.file)
            for kid in self.model.kids:
                if kid.file is not None and self.goes_to_county(kid.file, before):
                    kid.file.passed = True
            self.triage(session, before, now)

    def due_tasks(self) -> set[tuple[str, UUID]]:
        with self.database.look() as session:
            rows = session.scalars(select(Task).where(Task.done_at.is_(None), Task.due_at <= self.now))
            return {(row.kind.value, row.case_id) for row in rows if row.case_id is not None}

    def end_pauses(self, file: File) -> None:
        for ref in file.refs:
            if ref.status == "info_requested":
                last = china().add_working_days(local_day(ref.asked_at), 2)
                if self.now >= china().closing(last):
                    ref.to("received")

    def expire(self, session: Any, file: File) -> None:
        for ref in file.refs:
            due = session.get_one(Referral, ref.id).answer_due_at
            if ref.status in ("sent", "received") and due <= self.now:
                ref.to("expired_no_answer")

    def goes_to_county(self, file: File, before: set[tuple[str, UUID]]) -> bool:
        return (
            not file.passed
            and file.status == "intake"
            and file.worst in ("high", "crisis_item")
            and ("second_assessment", file.id) in before
        )

    def triage(self, session: Any, before: set[tuple[str, UUID]], now: Any) -> None:
        """Whom nobody saw in time: to the clinic, if the guardian was told and has agreed, within the quota."""
        free = {place: QUOTA - self.model.unseen_this_week(place, now) for place in STAFF}
        fit: dict[str, list[Ref]] = {place: [] for place in STAFF}
        for kid in self.model.kids:
            file = kid.file
            if file is None or ("county_assessment", file.id) not in before:
                continue
            for ref in file.refs:
                if self.fit_for_triage(kid, file, ref):
                    fit[ref.place].append(ref)
        for place, waiting in fit.items():
            gone = [ref for ref in waiting if session.get_one(Referral, ref.id).sent_at is not None]
            may = max(0, free[place])
            assert len(gone) <= may, "more left than the clinic has places for"
            doubtful = [ref for ref in waiting if ref not in gone]
            assert len(gone) == min(may, len(waiting)) or all(
                self.is_doubtful(session, ref) for ref in doubtful
            ), "somebody could have gone and did not"
            for ref in gone:
                ref.to("sent")
                self.model.left_unseen.append((place, now))

    def fit_for_triage(self, kid: Kid, file: File, ref: Ref) -> bool:
        return (
            ref.is_unsent
            and ref.status != "guardian_refused"
            and ref.place is not None
            and ref.told
            and file.may_leave(ref)
            and kid.share is True
            and kid.harm not in ("home", "school", "other")
            and not self.is_held(ref)
        )

    def is_doubtful(self, session: Any, ref: Ref) -> bool:
        """One doubtful sheet among those of the case keeps it from leaving by itself."""
        kid, _, _ = self.model.of(ref.id)
        return any(
            result.administration.validity.value == "doubtful"
            for result in session.scalars(select(ScreenResult).where(ScreenResult.child_id == kid.pupil.id))
        )

    # --- after each step -----------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        """Looked at again only when something has been written or time has passed: this is half of all the work."""
        with self.database.look() as session:
            written = (self.waited, *(session.scalar(select(func.count()).select_from(t)) for t in WRITTEN))
            if written == self.looked_at:
                return
            self.looked_at = written
            broken = check.check_all(session, now=self.now, deep=True)
            assert not broken, [(finding.invariant, finding.message, finding.count) for finding in broken]

    @invariant()
    def model_and_store_agree(self) -> None:
        found = self.observe()
        if self.refusing and self.seen is not None:
            assert found == self.seen, "a refused press has left something behind"
        self.seen, self.refusing = found, None
        assert found["cases"] == {
            file.id: (kid.pupil.id, file.status, file.tier, file.worst)
            for kid in self.model.kids
            for file in kid.files
        }
        files = [(kid, file) for kid in self.model.kids for file in kid.files]
        assert found["plans"] == {file.id: (file.plans, file.plan) for _, file in files if file.plans}
        refs = [(file, ref) for _, file in files for ref in file.refs]
        assert found["referrals"] == {
            ref.id: (file.id, ref.status, ref.place, ref.urgency) for file, ref in refs
        }
        assert found["crises"] == {
            crisis.id: (file.id, crisis.taken_by, crisis.over) for _, file in files for crisis in file.crises
        }
        granted = {("referral", ref.id) for _, ref in refs if ref.granted}
        granted |= {("passed_to_county", file.id) for _, file in files if file.passed}
        crises_of = [crisis for _, file in files for crisis in file.crises]
        granted |= {
            ("crisis_taken", crisis.id) for crisis in crises_of if crisis.opened_file and not crisis.over
        }
        assert found["grants"] == granted
        self.check_lines(found["tasks"])

    def observe(self) -> dict[str, Any]:
        with self.database.look() as session:
            count = {}
            for plan in session.scalars(select(PlanVersion).order_by(PlanVersion.number)):
                count[plan.case_id] = (plan.number, plan.status.value)
            places = {self.county.places[code].id: code for code in STAFF}
            return {
                "cases": {
                    row.id: (
                        row.child_id,
                        row.status.value,
                        row.tier.value if row.tier else None,
                        row.worst_level.value if row.worst_level else None,
                    )
                    for row in session.scalars(select(Case))
                },
                "plans": count,
                "referrals": {
                    row.id: (row.case_id, row.status.value, places.get(row.facility_id), row.urgency.value)
                    for row in session.scalars(select(Referral))
                },
                "crises": {
                    row.id: (row.case_id, self.county.who(row.taken_by), row.stood_down_at is not None)
                    for row in session.scalars(select(CrisisEpisode))
                },
                "grants": {
                    (row.reason, row.reason_id)
                    for row in session.scalars(select(AccessGrant).where(AccessGrant.ended_at.is_(None)))
                },
                "tasks": {
                    (row.kind.value, row.subject_id): (row.done_at is None, row.decision, row.case_id)
                    for row in session.scalars(select(Task).order_by(Task.opened_at))
                },
            }

    def check_lines(self, lines: dict[tuple[str, UUID], tuple[bool, str, UUID | None]]) -> None:
        """Who is asked for what: a line for everything that waits, and none for what nobody waits for."""
        opened = {key for key, (is_open, *_) in lines.items() if is_open}
        decided = {key for key, (_, decision, _) in lines.items() if decision == "decided"}
        for kid in self.model.kids:
            for file in kid.files:
                for ref in file.refs:
                    self.check_referral_lines(file, ref, opened, decided)
                if file.status == "closed":
                    left = {key for key, (is_open, _, case) in lines.items() if is_open and case == file.id}
                    assert not left, "an open line of a closed case"
                crisis = file.crisis
                if crisis is not None and crisis.taken_by is None:
                    assert ("crisis_acknowledge", crisis.id) in opened, "danger rings nowhere"
            self.check_talks(kid, opened)

    def check_talks(self, kid: Kid, opened: set[tuple[str, UUID]]) -> None:
        talks = {
            (kind, kid.pupil.id)
            for kind in ("second_assessment", "same_day_talk", "safety_talk", "county_assessment")
        }
        wanted = kid.waits_without_case or (kid.file is not None and kid.file.talk)
        assert bool(talks & opened) is wanted, (
            "a talk is due and nobody is asked" if wanted else "a talk too many"
        )

    def check_referral_lines(
        self, file: File, ref: Ref, opened: set[tuple[str, UUID]], decided: set[tuple[str, UUID]]
    ) -> None:
        asked = ASKED.get(ref.status, ())
        if asked and not (ref.status == "expired_no_answer" and file.asked_since(ref)):
            there = opened | decided
            assert any((kind, ref.id) in there for kind in asked), f"nobody is asked about {ref.status}"
        for kind, subject in opened:
            if subject != ref.id or kind in OUTLIVES:
                continue
            assert ref.status not in ENDED, f"{kind} is asked of a referral that has ended"
            assert ref.status in ONLY_WHILE.get(kind, (ref.status,)), f"{kind} is asked while {ref.status}"

    def teardown(self) -> None:
        self.world.work()
