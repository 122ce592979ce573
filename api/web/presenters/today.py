"""The first page of the day: what is urgent, whom to see or phone, what others owe. One line per child.

A shared screen may show everything here: actions and times, never a level, a score or a tier.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from api.web.presenters import dates, words
from api.web.presenters.dates import TimeLeft
from referral.models.notice import Notice
from referral.models.referral import Referral
from referral.models.task import Task
from referral.queries.today import TO_SEE, URGENT, TaskLine
from referral.terms import ReferralStatus, TaskKind
from screening.access import May, may, places
from screening.core.actor import Actor, Role
from screening.core.clock import local_day
from screening.core.i18n import translate

RED = URGENT | {
    TaskKind.CRISIS_TELL_SCHOOL,
    TaskKind.CRISIS_TELL_COUNTY,
    TaskKind.CRISIS_REPORT,
    TaskKind.CRISIS_STAND_DOWN,
    TaskKind.MANDATORY_REPORT,
    TaskKind.HOME_VISIT,
    TaskKind.HANDOVER_ACKNOWLEDGE,
    TaskKind.CALL_SUPPORT,
    TaskKind.CALL_DISCLOSURE,
}
SEE = TO_SEE | {
    TaskKind.SELF_REFERRAL,
    TaskKind.MAKE_UP,
    TaskKind.FOLLOWUP,
    TaskKind.SAFETY_PLAN,
    TaskKind.GUARDIAN_HARM_QUESTION,
    TaskKind.GUARDIAN_CONTACT,
    TaskKind.GUARDIAN_AGREEMENT,
    TaskKind.GUARDIAN_SECOND_TALK,
    TaskKind.GUARDIAN_ADVICE,
    TaskKind.NO_SHOW_CONTACT,
    TaskKind.CONFIRM_ALREADY_IN_CARE,
    TaskKind.CONSENT_REPLY,
    TaskKind.CONSENT_ASK,
    TaskKind.TERM_CONTACT,
    TaskKind.WEEKLY_CHECK,
    TaskKind.CALL_FOLLOW_UP,
    TaskKind.CALL_DEBRIEF,
    TaskKind.HANDOVER_RESULT,
    TaskKind.RANDOM_CHECK,
}
FILES = frozenset(
    {
        TaskKind.BATCH_COMMIT,
        TaskKind.REFUSED_ROWS,
        TaskKind.FILE_ALARM,
        TaskKind.HISTORY_REVIEW,
        TaskKind.UNKNOWN_CHILD_ALARM,
        TaskKind.CHANNEL_MISSING,
        TaskKind.DUTY_MISSING,
        TaskKind.CALENDAR_MISSING,
        TaskKind.SERVICE_GAP,
        TaskKind.MODEL_ALARM,
    }
)
AT_FACILITY = frozenset(
    {TaskKind.REFERRAL_ANSWER, TaskKind.APPOINTMENT, TaskKind.ATTENDANCE_CHECK, TaskKind.RETURN_NOTE}
)
# Their subject is the uploaded file.
OF_A_FILE = frozenset(
    {TaskKind.BATCH_COMMIT, TaskKind.REFUSED_ROWS, TaskKind.FILE_ALARM, TaskKind.UNKNOWN_CHILD_ALARM}
)
# Their subject is the episode; the steps of it have subjects of their own.
BY_EPISODE = frozenset({TaskKind.CRISIS_ACKNOWLEDGE, TaskKind.CRISIS_REPORT, TaskKind.SAFETY_PLAN})
OF_A_CRISIS = BY_EPISODE | {TaskKind.CRISIS_STEP, TaskKind.GUARDIAN_CONTACT, TaskKind.CRISIS_STAND_DOWN}
OF_A_SHEET = frozenset({TaskKind.RETEST, TaskKind.MAKE_UP})
# Their page is a call for the hotline, and the handover for whoever received it.
OF_A_HANDOVER = frozenset({TaskKind.HANDOVER_ACKNOWLEDGE, TaskKind.HANDOVER_RESULT})
OF_A_CALL = OF_A_HANDOVER | {
    TaskKind.CALL_FINISH,
    TaskKind.CALL_REVIEW,
    TaskKind.CALL_DISCLOSURE,
    TaskKind.CALL_FOLLOW_UP,
    TaskKind.CALL_DEBRIEF,
    TaskKind.CALL_SUPPORT,
}
OF_A_WORRY = frozenset({TaskKind.WORRY_NOW, TaskKind.WORRY_MATCH})
# Asked within the talk itself: not a second thing to do.
WITHIN_THE_TALK = frozenset({TaskKind.GUARDIAN_HARM_QUESTION})
# These lines are the machine's own until their limit has passed.
ONLY_WHEN_LATE = frozenset({TaskKind.NOTE_OVERDUE})
SECTIONS = ("red", "see", "desk", "files")
# What is seen at once in "to see and to phone"; the rest waits below, folded.
NEAR = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Row:
    """One child (or one thing without a child): the next action, and what else is asked for it."""

    section: str
    href: str
    action: str
    also: tuple[str, ...]
    name: str
    place: str
    why: str
    left: TimeLeft
    day: str
    as_backup: bool
    take: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What somebody else owes."""

    href: str
    name: str
    place: str
    action: str
    whom: str
    days: str
    left: TimeLeft


@dataclass(frozen=True, slots=True)
class Inbox:
    """One referral in a facility's list."""

    href: str
    form_no: str
    name: str
    urgency: str
    status: str
    left: TimeLeft | None
    appointment: datetime | None
    place: str


@dataclass(frozen=True, slots=True)
class Bell:
    """What has rung about one task, once or several times; ``at`` is the last time."""

    ids: tuple[UUID, ...]
    action: str
    number: str
    urgent: bool
    href: str
    at: datetime


def section_of(kind: TaskKind) -> str:
    if kind in RED:
        return "red"
    if kind in SEE:
        return "see"
    return "files" if kind in FILES else "desk"


def rows(lines: Sequence[TaskLine], actor: Actor, now: datetime, locale: str) -> dict[str, list[Row]]:
    """Open tasks as one row per child, by section, in the order of their limits; ``later`` can wait some days."""
    found: dict[str, list[Row]] = {section: [] for section in (*SECTIONS, "later")}
    for group in _groups(lines, now):
        row = _row(group, actor, now, locale)
        far = row.section == "see" and row.left.due > now + NEAR
        found["later" if far else row.section].append(row)
    for section in found.values():
        # Danger that nobody has taken stands above everything, whatever else is late.
        section.sort(key=lambda row: (row.take is None, row.left.due))
    return found


def _groups(lines: Iterable[TaskLine], now: datetime) -> list[list[TaskLine]]:
    """Lines about one child together, the one to do first in front."""
    groups: dict[object, list[TaskLine]] = {}
    for line in lines:
        task = line.task
        if task.kind in ONLY_WHEN_LATE and task.due_at > now:
            continue
        groups.setdefault(task.case_id or task.child_id or task.id, []).append(line)
    for group in groups.values():
        group.sort(key=lambda line: (SECTIONS.index(section_of(line.task.kind)), line.task.due_at))
    return list(groups.values())


def _row(group: list[TaskLine], actor: Actor, now: datetime, locale: str) -> Row:
    first = group[0]
    task = first.task
    left = dates.time_left(task.due_at, now, locale)
    kinds = [line.task.kind for line in group[1:] if line.task.kind not in WITHIN_THE_TALK]
    others = dict.fromkeys(words.word(kind, locale) for kind in kinds)
    others.pop(words.word(task.kind, locale), None)
    return Row(
        section=section_of(task.kind),
        href=where(first, actor),
        action=words.word(task.kind, locale),
        also=tuple(others)[:4],
        name=first.child.name if first.child else "",
        place=class_of(first, local_day(now), locale),
        why=words.why(task.kind, locale),
        left=left,
        day=dates.near_day(local_day(task.due_at), local_day(now), locale),
        as_backup=task.owner_id != actor.account_id,
        take=_take(first, actor),
    )


def where(line: TaskLine, actor: Actor) -> str:
    """The page on which the task is done: the case, the referral, the file, or the task by itself."""
    task = line.task
    elsewhere = _file_or_sheet(task, actor)
    if elsewhere is not None:
        return elsewhere
    if task.kind in AT_FACILITY and may(actor, May.ANSWER_REFERRAL):
        return f"/referrals/{task.subject_id}"
    if task.case_id and line.child is not None and may(actor, May.READ_CASES):
        return f"/cases/{task.case_id}"
    if task.kind in OF_A_CRISIS and may(actor, May.HANDLE_CRISIS):
        # The crisis opens its card to whoever is called to it, the case it belongs to stays closed.
        return f"/crises/{task.subject_id}" if task.kind in BY_EPISODE else "/crises"
    return f"/tasks/{task.id}"


def _file_or_sheet(task: Task, actor: Actor) -> str | None:
    """An uploaded file, a call or its handover, a worry, or the child's sheets where one is to be done again and no
    case is open."""
    at_hotline = _of_a_call(task, actor)
    if at_hotline is not None:
        return at_hotline
    if task.kind is TaskKind.RANDOM_CHECK and may(actor, May.HOLD_CHECK):
        return "/checks"
    if task.kind in OF_A_WORRY and may(actor, May.MATCH_WORRY):
        return f"/worries/{task.subject_id}"
    if task.kind in OF_A_FILE and may(actor, May.IMPORT):
        return f"/imports/{task.subject_id}"
    if task.kind in OF_A_SHEET and task.child_id and task.case_id is None and may(actor, May.RECORD_SHEET):
        return f"/campaigns/child/{task.child_id}"
    return None


def _of_a_call(task: Task, actor: Actor) -> str | None:
    if may(actor, May.LOG_CALL) and _at_hotline(task, actor):
        return f"/hotline/tasks/{task.id}"
    receives = may(actor, May.RECEIVE_HANDOVER) or may(actor, May.HANDLE_CRISIS)
    return f"/hotline/handovers/{task.subject_id}" if task.kind in OF_A_HANDOVER and receives else None


def _at_hotline(task: Task, actor: Actor) -> bool:
    report = task.kind is TaskKind.MANDATORY_REPORT and task.case_id is None
    return (task.kind in OF_A_CALL or report) and task.organisation_id in places(actor, May.LOG_CALL)


def class_of(line: TaskLine, today: date, locale: str) -> str:
    """Grade and class, where the actor may see the child."""
    enrolment = line.child.enrolment if line.child else None
    return words.class_of(enrolment, today, locale)


def _take(line: TaskLine, actor: Actor) -> str | None:
    """The button of danger that nobody has taken. Where the case is closed to the actor it leads to the card."""
    task = line.task
    if task.kind is not TaskKind.CRISIS_ACKNOWLEDGE or task.case_id is None:
        return None
    if line.child is not None and may(actor, May.READ_CASES):
        return f"/crises/{task.case_id}/{task.subject_id}/take"
    return f"/crises/{task.subject_id}/take"


def waiting(
    lines: Sequence[TaskLine], actor: Actor, names: Mapping[UUID, str], now: datetime, locale: str
) -> list[Waiting]:
    """What others owe on the actor's own cases, the longest limit passed first."""
    return [
        Waiting(
            href=f"/cases/{line.task.case_id}",
            name=line.child.name if line.child else "",
            place=class_of(line, local_day(now), locale),
            action=words.word(line.task.kind, locale),
            whom=names.get(line.task.organisation_id, ""),
            days=dates.waiting(line.task.opened_at, now, locale),
            left=dates.time_left(line.task.due_at, now, locale),
        )
        for line in lines
    ]


def due_this_week(lines: Sequence[TaskLine], now: datetime) -> tuple[int, int, int]:
    """How many children to see or phone, follow-ups and papers fall due within seven days."""
    soon = [line.task.kind for line in lines if line.task.due_at <= now + timedelta(days=7)]
    talks = sum(kind in (RED | SEE) and kind is not TaskKind.FOLLOWUP for kind in soon)
    follow_ups = sum(kind is TaskKind.FOLLOWUP for kind in soon)
    return talks, follow_ups, len(soon) - talks - follow_ups


# --- a facility's lists ------------------------------------------------------------------------------------

NEW = frozenset({ReferralStatus.SENT, ReferralStatus.RECEIVED, ReferralStatus.INFO_REQUESTED})


def inbox(referrals: Sequence[Referral], now: datetime, locale: str) -> tuple[list[Inbox], list[Inbox]]:
    """New referrals by time left, and those that are under way by appointment."""
    far = now + timedelta(days=3650)
    # With the same limit, who was sent first has waited longest.
    by_limit = sorted(referrals, key=lambda each: (each.answer_due_at or far, each.sent_at or far))
    new = [_inbox(referral, now, locale) for referral in by_limit if referral.status in NEW]
    going = [_inbox(referral, now, locale) for referral in referrals if referral.status not in NEW]
    going.sort(key=lambda row: row.appointment or far)
    return new, going


def _inbox(referral: Referral, now: datetime, locale: str) -> Inbox:
    waits = referral.status in NEW and referral.answer_due_at is not None
    return Inbox(
        href=f"/referrals/{referral.id}",
        form_no=referral.form_no,
        name=name_on_note(referral),
        urgency=words.word(referral.urgency, locale),
        status=words.word(referral.status, locale),
        left=dates.time_left(referral.answer_due_at, now, locale)
        if waits and referral.answer_due_at
        else None,
        appointment=referral.appointment_at,
        place=referral.appointment_place or "",
    )


def without_new(lines: Sequence[TaskLine], actor: Actor, new: Sequence[Inbox]) -> list[TaskLine]:
    """The lines but for those that ask for an answer to a new referral: the list of new ones says it already."""
    listed = {row.href for row in new if row.left is not None}
    return [
        line
        for line in lines
        if line.task.kind is not TaskKind.REFERRAL_ANSWER or where(line, actor) not in listed
    ]


def name_on_note(referral: Referral) -> str:
    """The child's name as the frozen note says it; a facility sees the note and nothing else."""
    return str(json.loads(referral.frozen)["out"]["name"]) if referral.frozen else ""


# --- notices -----------------------------------------------------------------------------------------------


def bells(
    notices: Sequence[Notice],
    tasks: Mapping[UUID, Task],
    actor: Actor,
    locale: str,
    unknown: Callable[[UUID | None], str],
) -> list[Bell]:
    """One bell per task, urgent ones first; ``unknown`` says what is said where the task is somebody else's."""
    rung: dict[object, list[Notice]] = {}
    for notice in notices:
        rung.setdefault(notice.task_id or notice.id, []).append(notice)
    found = []
    for same in rung.values():
        last = max(same, key=lambda notice: notice.created_at)
        task = tasks.get(last.task_id) if last.task_id else None
        found.append(
            Bell(
                ids=tuple(notice.id for notice in same),
                action=words.word(task.kind, locale) if task else unknown(last.task_id),
                number=last.number,
                urgent=any(notice.urgent for notice in same),
                href=_of_task(task, actor) if task else "/today",
                at=last.created_at,
            )
        )
    return sorted(found, key=lambda bell: (not bell.urgent, -bell.at.timestamp()))


# Who is told the number of a case: a school and what stands above it, not a facility.
_KNOWS_CASES = frozenset(
    {Role.SCHOOL_LEAD, Role.PRINCIPAL, Role.COUNTY_CENTRE, Role.EDU_OFFICER, Role.CITY_OFFICER}
)


def of_others(line: TaskLine | None, actor: Actor, now: datetime, locale: str) -> str:
    """What rang one step up: case number, item and hours overdue; no name, no content (field guide §4)."""
    if line is None:
        return ""
    hours = max(0, int((now - line.task.due_at).total_seconds() // 3600))
    item = words.word(line.task.kind, locale)
    if line.case is None or not actor.roles & _KNOWS_CASES:
        return translate(locale, "{item}, {hours} h overdue", item=item, hours=hours)
    return translate(
        locale,
        "{item}, case {number}, {hours} h overdue",
        item=item,
        number=line.case.case_no,
        hours=hours,
    )


def _of_task(task: Task, actor: Actor) -> str:
    elsewhere = _file_or_sheet(task, actor)
    if elsewhere is not None:
        return elsewhere
    if task.kind in AT_FACILITY and may(actor, May.ANSWER_REFERRAL):
        return f"/referrals/{task.subject_id}"
    return f"/cases/{task.case_id}" if task.case_id and may(actor, May.READ_CASES) else f"/tasks/{task.id}"
