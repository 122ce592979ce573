"""One case on one page: who, why it is here, what is planned, what is waited for, and which buttons there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from api.web.presenters import contact, dates, interview, plan, words
from api.web.presenters.dates import TimeLeft
from referral.actions.tasks import BY_EVENT
from referral.intake.talks import TalkResult, of_grade
from referral.models.case import Assessment, Case, SafetyTalk
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.task import Task
from referral.queries.cases import CaseFile
from referral.terms import (
    CaseStatus,
    CrisisStep,
    FollowUpChannel,
    FollowUpStatus,
    FollowUpTemplate,
    HarmAnswer,
    ReferralStatus,
    TaskKind,
)
from screening.core.actor import Actor, Role
from screening.core.clock import age_on
from screening.core.i18n import translate
from screening.models.child import Child
from screening.models.result import ScreenResult

# Who reads the clinical part of a return note, if the guardian agreed (field guide §1).
READS_CLINICAL = frozenset({Role.COUNSELLOR, Role.COUNTY_CENTRE})

# Lines that end by a button of their own on the case, and so carry no tick.
OWN_BUTTON = BY_EVENT | {
    TaskKind.COUNTY_ASSESSMENT,
    TaskKind.GUARDIAN_HARM_QUESTION,
    TaskKind.GUARDIAN_AGREEMENT,
    TaskKind.REFERRAL_REROUTE,
    TaskKind.APPOINTMENT,
    TaskKind.ATTENDANCE_CHECK,
    TaskKind.TIER_SIGN,
    TaskKind.CRISIS_STEP,
    TaskKind.CRISIS_STAND_DOWN,
}
# Talks about safety: the guided page asks.
ASKED_BY_PAGE = frozenset({TaskKind.SAFETY_TALK, TaskKind.SAME_DAY_TALK})
STEPS = (
    CrisisStep.CHILD_SAFE,
    CrisisStep.GUARDIAN_REACHED,
    CrisisStep.PROFESSIONAL_REACHED,
    CrisisStep.HANDED_OVER,
)
HARM_KNOWN = frozenset({HarmAnswer.HOME, HarmAnswer.SCHOOL, HarmAnswer.OTHER})


@dataclass(frozen=True, slots=True)
class Person:
    """Who the child is and who must be told. ``caution`` stands beside the phone number."""

    name: str
    sex: str
    age: int
    class_name: str
    file_no: str
    guardian: str
    relation: str
    phone: str
    caution: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """One open line. ``what``: the measure, where it is one. ``tick``: may be decided here with a few words.
    ``talk``: it is a talk about safety, which has a page of its own."""

    id: UUID
    action: str
    what: str
    owner: str
    left: TimeLeft
    tick: bool
    talk: bool


@dataclass(frozen=True, slots=True)
class SafetyTalkView:
    """One safety talk that was held: what came of it, in the words of what to do."""

    id: UUID
    held_at: datetime
    who: str
    result: str
    alone: bool
    remark: str


@dataclass(frozen=True, slots=True)
class Talk:
    """One second assessment that was held."""

    held_at: datetime
    who: str
    channel: str
    conclusion: str
    lines: tuple[interview.Line, ...]


@dataclass(frozen=True, slots=True)
class FollowUpView:
    """One contact of the schedule."""

    id: UUID
    due_on: date
    template: str
    status: str
    due: bool
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CrisisView:
    """One episode. ``open``: nobody has stood it down."""

    id: UUID
    opened_at: datetime
    taken_by: str
    taken_at: datetime | None
    steps: tuple[tuple[str, str, str, datetime | None, str], ...]  # code, step, result, when, remark
    waits_for_lead: bool
    proposed: bool
    report_needed: bool
    open: bool


@dataclass(frozen=True, slots=True)
class Sending:
    """Where the open referral stands, as far as buttons ask. ``waits``: it has not left."""

    status: ReferralStatus | None
    waits: bool
    has_facility: bool


@dataclass(frozen=True, slots=True)
class Buttons:
    """What this person can do here now; the actions check the same again."""

    assess: bool
    confirm: bool
    review: bool
    answer_guardian: bool
    send: bool
    send_any: bool
    draft: bool
    withdraw: bool
    reroute: bool
    tell: bool
    acknowledge: bool
    complete: bool
    sign: bool
    follow_up: bool
    crisis: bool
    stand_down: bool
    # Verify a reply without an account, or type in what came on paper.
    answer_for: bool


def person(case: Case, child: Child, today: date, locale: str) -> Person:
    """The head of the page."""
    guardian = child.guardian
    return Person(
        name=child.name,
        sex=words.sex(child.sex, locale),
        age=age_on(child.birth_date, today),
        class_name=words.class_of(child.enrolment, today, locale),
        file_no=child.file_no,
        guardian=guardian.name if guardian else "",
        relation=(guardian.relation if guardian else None) or "",
        phone=(guardian.phone if guardian else None) or "",
        caution=caution(child.harm_answer, locale),
    )


def caution(answer: str | None, locale: str) -> str:
    """What has to be known before a guardian is phoned (rule R-L3)."""
    if answer is None:
        return translate(
            locale, "Before any call home: has a person asked who may be hurting the child? Not answered yet."
        )
    if HarmAnswer(answer) is HarmAnswer.HOME:
        return translate(
            locale, "Do not call home by yourself: harm at home is suspected. Ask the school lead."
        )
    if HarmAnswer(answer) is HarmAnswer.UNCLEAR:
        return translate(
            locale, "Whether somebody hurts the child is unclear: be careful with what you say at home."
        )
    return ""


def countdown(tasks: Sequence[Task], now: datetime, locale: str) -> tuple[str, TimeLeft] | None:
    """The next limit of the case: what, and how long."""
    asked = [t for t in tasks if t.kind is not TaskKind.NOTE_OVERDUE or t.due_at <= now]
    if not asked:
        return None
    first = min(asked, key=lambda task: (task.kind is not TaskKind.CRISIS_ACKNOWLEDGE, task.due_at))
    return words.word(first.kind, locale), dates.time_left(first.due_at, now, locale)


def tasks(
    file: CaseFile, actor: Actor, names: Mapping[UUID, str], now: datetime, locale: str
) -> list[TaskView]:
    """Everything open on the case, by limit."""
    measures = {action.id: action.component for version in file.plans for action in version.actions}
    return [
        TaskView(
            id=task.id,
            action=words.word(task.kind, locale),
            what=plan.component_name(measures[task.subject_id], locale)
            if task.subject_id in measures
            else "",
            owner=names.get(task.owner_id, ""),
            left=dates.time_left(task.due_at, now, locale),
            tick=task.kind not in OWN_BUTTON and actor.account_id in (task.owner_id, task.backup_id),
            talk=task.kind in ASKED_BY_PAGE,
        )
        for task in sorted(file.tasks, key=lambda each: each.due_at)
        if task.kind is not TaskKind.NOTE_OVERDUE or task.due_at <= now
    ]


def talks(
    assessments: Sequence[Assessment], names: Mapping[UUID, str], locale: str, *, whole: bool
) -> list[Talk]:
    """The second assessments, newest first; with ``whole`` all that was written down."""
    return [
        Talk(
            held_at=row.held_at,
            who=names.get(row.recorded_by, ""),
            channel=words.word(FollowUpChannel(row.channel), locale),
            conclusion=translate(locale, "screened out")
            if row.screened_out
            else words.word(row.tier, locale),
            lines=tuple(interview.lines(row, locale)) if whole else (),
        )
        for row in assessments
    ]


def safety_talks(
    rows: Sequence[tuple[SafetyTalk, ScreenResult]], names: Mapping[UUID, str], locale: str
) -> list[SafetyTalkView]:
    """The safety talks, newest first."""
    said = {
        TalkResult.ACUTE: translate(locale, "danger now"),
        TalkResult.POSITIVE: translate(locale, "talk on the same day"),
        TalkResult.NEGATIVE: translate(locale, "nothing that asked for steps"),
    }
    return [
        SafetyTalkView(
            id=talk.id,
            held_at=talk.recorded_at,
            who=names.get(talk.recorded_by, ""),
            result=said[of_grade(result.grade)],
            alone=talk.alone,
            remark=talk.remark or "",
        )
        for talk, result in rows
    ]


def follow_ups(rows: Sequence[FollowUp], locale: str) -> list[FollowUpView]:
    """The schedule by day."""
    return [
        FollowUpView(
            id=row.id,
            due_on=row.due_on,
            template=words.word(FollowUpTemplate(row.template), locale),
            status=words.word(row.status, locale),
            due=row.status is FollowUpStatus.DUE,
            lines=tuple(contact.lines(row, locale)),
        )
        for row in rows
    ]


def crisis(episode: CrisisEpisode | None, names: Mapping[UUID, str], locale: str) -> CrisisView | None:
    """The strip of an open episode: each step with its last record."""
    if episode is None:
        return None
    last = {record.step: record for record in episode.steps}
    steps = []
    for step in STEPS:
        record = last.get(step)
        steps.append(
            (
                step.value,
                words.word(step, locale),
                words.word(record.result, locale) if record else "",
                record.happened_at if record else None,
                (record.remark or "") if record else "",
            )
        )
    return CrisisView(
        id=episode.id,
        opened_at=episode.opened_at,
        taken_by=names.get(episode.taken_by, "") if episode.taken_by else "",
        taken_at=episode.taken_at,
        steps=tuple(steps),
        waits_for_lead=all(record[2] for record in steps),
        proposed=episode.proposed_at is not None,
        report_needed=episode.report_needed,
        open=episode.stood_down_at is None,
    )


OPEN_TO_TALK = frozenset({CaseStatus.INTAKE, CaseStatus.ASSESSING, CaseStatus.ACTIVE, CaseStatus.MONITORING})


def people_in(file: CaseFile) -> set[UUID | None]:
    """Everybody whose name stands on the page."""
    case = file.case
    found: set[UUID | None] = {case.owner_id, case.backup_id}
    found |= {task.owner_id for task in file.tasks}
    found |= {row.recorded_by for row in file.assessments}
    found |= {change.changed_by for referral in file.referrals for change in referral.history}
    found |= {change.changed_by for change in case.tiers} | {c.countersigned_by for c in case.tiers}
    found |= {episode.taken_by for episode in file.crises}
    return found
