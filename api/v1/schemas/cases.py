"""Cases with their parts. Built by naming fields, per reader: see :class:`Reader`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.v1.schemas.common import Answer, Body, Day, Id, Instant, Line, Name, Note, OneOf
from api.v1.schemas.referrals import WordsIn
from referral.actions.assessments import AssessmentIn as Talk
from referral.actions.assessments import Concluded
from referral.models.case import Assessment, Case
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.plan import PlanAction, PlanVersion
from referral.models.referral import Referral
from referral.models.task import Task
from referral.planning import intervention_menu
from referral.queries.cases import CaseFile
from referral.states import CASE_TURN, REFERRAL_TURN
from referral.terms import (
    ActionStatus,
    Area,
    CaseStatus,
    CrisisStep,
    FollowUpChannel,
    FollowUpStatus,
    HarmAnswer,
    Origin,
    PlanStatus,
    ReferralStatus,
    SafetyFact,
    Sign,
    StepResult,
    TaskKind,
    Tier,
    Turn,
    Urgency,
)
from risk_model import Level
from screening.access import May, may_about
from screening.core.actor import Actor, Role


@dataclass(frozen=True, slots=True)
class Reader:
    """How far this reader sees into a case (the table "who sees what" of the field guide).

    ``scores``: model output, and reasons made of it. ``notes``: what was said in talks.
    """

    account_id: UUID | None
    scores: bool
    notes: bool
    locale: str

    @classmethod
    def of(cls, actor: Actor, case: Case, locale: str) -> Self:
        return cls(
            account_id=actor.account_id,
            scores=may_about(actor, May.READ_SCORES, case.organisation_id),
            # Author and successor: the counsellor of the school, and whoever wrote it.
            notes=case.organisation_id in actor.organisations(Role.COUNSELLOR),
            locale=locale,
        )


class CaseLine(Answer):
    """One line of a list. The level is the machine's, the tier a person's."""

    id: UUID
    case_no: str
    child_id: UUID
    child_name: str
    status: CaseStatus
    turn: Turn
    tier: Tier | None
    origin: Origin
    owner_name: str | None
    opened_at: datetime
    closed_at: datetime | None
    level: Level | None

    @classmethod
    def of(cls, case: Case, reader: Reader, names: Mapping[UUID, str]) -> Self:
        return cls(
            id=case.id,
            case_no=case.case_no,
            child_id=case.child_id,
            child_name=case.child.name,
            status=case.status,
            turn=CASE_TURN[case.status],
            tier=case.tier,
            origin=case.origin,
            owner_name=names.get(case.owner_id),
            opened_at=case.opened_at,
            closed_at=case.closed_at,
            level=case.worst_level if reader.scores else None,
        )


class CasesOut(Answer):
    items: list[CaseLine]
    next: UUID | None


class ActionOut(Answer):
    """One measure. ``because`` holds facts of sheets and talks; it is shown to whoever reads scores."""

    id: UUID
    component: str
    name: str
    who: str
    status: ActionStatus
    rule: str
    because: list[str]
    review_on: date | None

    @classmethod
    def of(cls, action: PlanAction, reader: Reader) -> Self:
        return cls(
            id=action.id,
            component=action.component,
            name=intervention_menu()[action.component].name.in_locale(reader.locale),
            who=action.who,
            status=action.status,
            rule=action.rule,
            because=list(action.because) if reader.scores else [],
            review_on=action.review_on,
        )


class PlanOut(Answer):
    """One version. ``assumed_tier`` is what an automatic draft (草案,未经复评) was made for, and no tier of anybody."""

    id: UUID
    number: int
    status: PlanStatus
    reason: str
    areas: list[str]
    assumed_tier: Tier | None
    created_at: datetime
    confirmed_at: datetime | None
    review_on: date | None
    actions: list[ActionOut]

    @classmethod
    def of(cls, plan: PlanVersion, reader: Reader) -> Self:
        return cls(
            id=plan.id,
            number=plan.number,
            status=plan.status,
            reason=plan.reason,
            areas=list(plan.areas),
            assumed_tier=plan.assumed_tier if reader.scores and plan.confirmed_at is None else None,
            created_at=plan.created_at,
            confirmed_at=plan.confirmed_at,
            review_on=plan.review_on,
            actions=[ActionOut.of(action, reader) for action in plan.actions],
        )


class AssessmentOut(Answer):
    """A talk. ``record`` (form F4) only for its author and the school's counsellor."""

    id: UUID
    held_at: datetime
    channel: FollowUpChannel
    tier: Tier | None
    screened_out: bool
    recorded_by: str | None
    record: dict[str, Any] | None

    @classmethod
    def of(cls, assessment: Assessment, reader: Reader, names: Mapping[UUID, str]) -> Self:
        open_to = reader.notes or assessment.recorded_by == reader.account_id
        return cls(
            id=assessment.id,
            held_at=assessment.held_at,
            channel=FollowUpChannel(assessment.channel),
            tier=assessment.tier,
            screened_out=assessment.screened_out,
            recorded_by=names.get(assessment.recorded_by),
            record=json.loads(assessment.record or "{}") if open_to else None,
        )


class ReferralSummary(Answer):
    id: UUID
    form_no: str
    status: ReferralStatus
    turn: Turn
    urgency: Urgency
    facility_name: str | None
    sent_at: datetime | None
    answer_due_at: datetime | None

    @classmethod
    def of(cls, referral: Referral) -> Self:
        return cls(
            id=referral.id,
            form_no=referral.form_no,
            status=referral.status,
            turn=REFERRAL_TURN[referral.status],
            urgency=referral.urgency,
            facility_name=referral.facility.name if referral.facility else None,
            sent_at=referral.sent_at,
            answer_due_at=referral.answer_due_at,
        )


class StepOut(Answer):
    step: CrisisStep
    result: StepResult
    happened_at: datetime
    recorded_at: datetime
    recorded_by: str | None
    place: str | None
    remark: str | None


class CrisisOut(Answer):
    """An episode with its steps in the order they were written down."""

    id: UUID
    episode_no: str
    child_id: UUID
    opened_at: datetime
    taken_at: datetime | None
    taken_by: str | None
    stood_down_at: datetime | None
    steps: list[StepOut]

    @classmethod
    def of(cls, episode: CrisisEpisode, names: Mapping[UUID, str]) -> Self:
        return cls(
            id=episode.id,
            episode_no=episode.episode_no,
            child_id=episode.child_id,
            opened_at=episode.opened_at,
            taken_at=episode.taken_at,
            taken_by=names.get(episode.taken_by) if episode.taken_by else None,
            stood_down_at=episode.stood_down_at,
            steps=[
                StepOut(
                    step=record.step,
                    result=record.result,
                    happened_at=record.happened_at,
                    recorded_at=record.recorded_at,
                    recorded_by=names.get(record.recorded_by) if record.recorded_by else None,
                    place=record.place,
                    remark=record.remark,
                )
                for record in episode.steps
            ],
        )


class CrisisCardOut(CrisisOut):
    """For the adult who takes it: also who the child is and whom to call."""

    child_name: str
    guardian_phone: str | None
    duty_phone: str | None

    @classmethod
    def of_card(
        cls,
        episode: CrisisEpisode,
        names: Mapping[UUID, str],
        *,
        child_name: str,
        guardian_phone: str | None,
        duty_phone: str | None,
    ) -> Self:
        return cls(
            **CrisisOut.of(episode, names).model_dump(),
            child_name=child_name,
            guardian_phone=guardian_phone,
            duty_phone=duty_phone,
        )


class FollowUpOut(Answer):
    id: UUID
    template: str
    due_on: date
    window_days: int
    status: FollowUpStatus

    @classmethod
    def of(cls, follow_up: FollowUp) -> Self:
        return cls(
            id=follow_up.id,
            template=follow_up.template,
            due_on=follow_up.due_on,
            window_days=follow_up.window_days,
            status=follow_up.status,
        )


class CaseTaskOut(Answer):
    """Something open on the case, and whose it is."""

    id: UUID
    kind: TaskKind
    due_at: datetime
    owner_name: str | None

    @classmethod
    def of(cls, task: Task, names: Mapping[UUID, str]) -> Self:
        return cls(id=task.id, kind=task.kind, due_at=task.due_at, owner_name=names.get(task.owner_id))


class CaseFileOut(Answer):
    """A case with everything that hangs on it, newest first."""

    case: CaseLine
    backup_name: str | None
    tier_signed: bool | None
    plans: list[PlanOut]
    assessments: list[AssessmentOut]
    referrals: list[ReferralSummary]
    crises: list[CrisisOut]
    follow_ups: list[FollowUpOut]
    tasks: list[CaseTaskOut]

    @classmethod
    def of(cls, file: CaseFile, reader: Reader, names: Mapping[UUID, str]) -> Self:
        case = file.case
        return cls(
            case=CaseLine.of(case, reader, names),
            backup_name=names.get(case.backup_id) if case.backup_id else None,
            tier_signed=case.tiers[-1].countersigned_by is not None if case.tiers else None,
            plans=[PlanOut.of(plan, reader) for plan in file.plans],
            assessments=[AssessmentOut.of(each, reader, names) for each in file.assessments],
            referrals=[ReferralSummary.of(referral) for referral in file.referrals],
            crises=[CrisisOut.of(crisis, names) for crisis in file.crises],
            follow_ups=[FollowUpOut.of(follow_up) for follow_up in file.follow_ups],
            tasks=[CaseTaskOut.of(task, names) for task in file.tasks],
        )


def people_in(file: CaseFile) -> Iterable[UUID | None]:
    """Whose names the file shows."""
    yield from (file.case.owner_id, file.case.backup_id)
    yield from (each.recorded_by for each in file.assessments)
    yield from (task.owner_id for task in file.tasks)
    for crisis in file.crises:
        yield from people_in_crisis(crisis)


def people_in_crisis(episode: CrisisEpisode) -> Iterable[UUID | None]:
    yield episode.taken_by
    yield from (record.recorded_by for record in episode.steps)


# --- what comes in -----------------------------------------------------------------------------------------


class WorryIn(Body):
    """Somebody is worried about a child; no sheet is needed. ``screening`` is what only sheets say."""

    child_id: Id
    origin: OneOf[Origin]

    @model_validator(mode="after")
    def a_person(self) -> Self:
        if self.origin is Origin.SCREENING:
            raise ValueError("screening raises no worry by hand")
        return self


class WorryOut(Answer):
    """Taken; somebody will talk with the child. The case only for whoever reads cases."""

    taken: Literal[True] = True
    case_id: UUID | None


Rating = Annotated[int, Field(ge=0, le=3)]
Ten = Annotated[int, Field(ge=0, le=10)]
Word = Annotated[str, Field(pattern=r"^(mood|anxiety|sleep|appetite|energy|attention|peers|bullying|family|"
                            r"caregiver|study|attendance|net_use)$")]  # fmt: skip


HarmedWhere = Annotated[str, Field(pattern=r"^(home|school|online)$")]
Informant = Annotated[str, Field(pattern=r"^(teacher|carer)$")]


class SafetyBlockIn(Body):
    """The safety questions of form F4, as the child answered them."""

    thoughts: Annotated[str, Field(pattern=r"^(never|past|now)$")]
    frequency: Line | None = None
    plan: bool | None = None
    means: bool | None = None
    intent: Ten | None = None
    past_attempts: Line | None = None
    self_injury: bool | None = None
    reasons_to_live: Line | None = None
    who_knows: Line | None = None


class TalkRecordIn(Body):
    """The rest of form F4. Everything may be left out but what the tier rests on (``reason``)."""

    where: Line | None = None
    minutes: Annotated[int, Field(ge=0, le=600)] | None = None
    ratings: Annotated[dict[Word, Rating], Field(max_length=13)] = Field(default_factory=dict)
    words: Annotated[dict[Word, Line], Field(max_length=13)] = Field(default_factory=dict)
    psychosis_signs: bool | None = None
    substance: bool | None = None
    safety: SafetyBlockIn | None = None
    harm_to_others: Line | None = None
    being_harmed: Annotated[list[HarmedWhere], Field(max_length=3)] = Field(default_factory=list)
    being_harmed_words: Line | None = None
    strengths: Line | None = None
    function: Ten | None = None
    child_wish: Line | None = None
    informants: Annotated[dict[Informant, Line], Field(max_length=2)] = Field(default_factory=dict)
    agreement_with_screen: Annotated[str, Field(pattern=r"^(higher|same|lower)$")] | None = None
    agreement_why: Line | None = None
    next: Line | None = None


class AssessmentIn(Body):
    """复评. ``send``: let the referral leave with this press. ``emergency``: danger to life, without asking first."""

    held_at: Instant
    channel: OneOf[FollowUpChannel]
    reason: Annotated[Note, Field(max_length=2000)]
    tier: OneOf[Tier] | None = None
    screened_out: bool = False
    concern: Rating | None = None
    harm_answer: OneOf[HarmAnswer] | None = None
    areas: Annotated[list[OneOf[Area]], Field(max_length=20)] = Field(default_factory=list)
    signs: Annotated[list[OneOf[Sign]], Field(max_length=20)] = Field(default_factory=list)
    safety_facts: Annotated[list[OneOf[SafetyFact]], Field(max_length=20)] = Field(default_factory=list)
    record: TalkRecordIn = TalkRecordIn()
    words: WordsIn | None = None
    send: bool = False
    emergency: bool = False
    escort: Name | None = None

    def talk(self, *, by: str, today: date) -> Talk:
        """The same as the action takes it; ``by`` is the name of whoever is signed in."""
        return Talk(
            held_at=self.held_at,
            channel=self.channel,
            tier=self.tier,
            screened_out=self.screened_out,
            reason=self.reason,
            concern=self.concern,
            harm_answer=self.harm_answer,
            areas=tuple(area.value for area in self.areas),
            signs=tuple(sign.value for sign in self.signs),
            safety_facts=tuple(fact.value for fact in self.safety_facts),
            record=self.record.model_dump(exclude_none=True, exclude_defaults=True),
            words=self.words.on_note(by=by, today=today) if self.words else {},
            send=self.send,
            emergency=self.emergency,
            escort=self.escort,
        )


class ConcludedOut(Answer):
    """What the press did. ``waits_for``: ``guardian`` when only the guardian's answer is missing."""

    assessment_id: UUID
    plan_confirmed: bool
    sent: bool
    waits_for: str | None

    @classmethod
    def of(cls, concluded: Concluded) -> Self:
        return cls(
            assessment_id=concluded.assessment.id,
            plan_confirmed=concluded.plan_confirmed,
            sent=concluded.sent,
            waits_for=concluded.waits_for,
        )


class RevisionIn(Body):
    """The next version. ``keep``: codes of the components that stay; null keeps all the rules propose."""

    keep: Annotated[set[Annotated[str, Field(max_length=12)]], Field(max_length=100, strict=False)] | None = (
        None
    )
    reason: Annotated[Line, Field(max_length=80)]


class FollowUpIn(Body):
    """Form F8. ``safety_asked`` is never skipped in silence: when it was not possible, say why."""

    channel: OneOf[FollowUpChannel]
    safety_asked: bool
    not_asked_why: Line | None = None
    answer: Note | None = None
    mood: Ten | None = None
    sleep: Ten | None = None
    function: Ten | None = None
    attendance_week: Annotated[int, Field(ge=0, le=7)] | None = None
    carer_view: Line | None = None
    words: Annotated[Note, Field(max_length=2000)] | None = None

    @model_validator(mode="after")
    def says_why(self) -> Self:
        if not self.safety_asked and self.not_asked_why is None:
            raise ValueError("why safety was not asked")
        return self


class MissedIn(Body):
    reason: Line


class StepIn(Body):
    """One step of a crisis. ``happened_at`` is when it was, not when it is written down."""

    step: OneOf[CrisisStep]
    result: OneOf[StepResult] = StepResult.DONE
    happened_at: Instant
    place: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    remark: Note | None = None


class StandDownIn(Body):
    safety_plan_done: bool
    review_meeting_on: Day | None = None
