"""A referral in words: where it is, who has it, what came back; and which buttons stand on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from uuid import UUID

from api.web.presenters import dates, words
from api.web.presenters.dates import TimeLeft
from referral.actions.return_notes import WRITABLE
from referral.disclosure import NoteContent
from referral.models.referral import Referral, ReturnNote
from referral.models.reply import ReferralReply
from referral.models.task import Task
from referral.states import REFERRAL_TURN
from referral.terms import (
    Attendance,
    DeclineReason,
    NoShowReason,
    ReferralStatus,
    RefusalReason,
    ReplyResult,
    ReplySource,
    RiskNow,
    TaskKind,
    Urgency,
)
from screening.core.clock import local_day
from screening.core.i18n import translate

BEFORE = frozenset(
    {
        ReferralStatus.DRAFT,
        ReferralStatus.AWAITING_GUARDIAN,
        ReferralStatus.READY,
        ReferralStatus.GUARDIAN_REFUSED,
    }
)
CAN_BE_WITHDRAWN = BEFORE | {
    ReferralStatus.SENT,
    ReferralStatus.RECEIVED,
    ReferralStatus.INFO_REQUESTED,
    ReferralStatus.ACCEPTED,
    ReferralStatus.DECLINED,
    ReferralStatus.EXPIRED_NO_ANSWER,
    ReferralStatus.SCHEDULED,
    ReferralStatus.NO_SHOW,
}
RUNNING = frozenset({ReferralStatus.SENT, ReferralStatus.RECEIVED, ReferralStatus.EXPIRED_NO_ANSWER})
ANSWERABLE = RUNNING | {ReferralStatus.INFO_REQUESTED}
GIVES_TIME = frozenset({ReferralStatus.ACCEPTED, ReferralStatus.SCHEDULED, ReferralStatus.NO_SHOW})


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the timeline."""

    status: str
    at: datetime
    who: str
    reason: str
    remark: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class NoteState:
    """The PDF: ``state`` is ready, making or overdue."""

    state: str
    href: str
    number: int
    unseen: bool


@dataclass(frozen=True, slots=True)
class Back:
    """One version of the return note as this reader may see it."""

    number: int
    visit_on: date
    outcome: str
    finding: str
    risk: str
    attendance: str
    advice: tuple[tuple[str, str], ...]
    clinical: tuple[tuple[str, str], ...]
    next_visit_on: date | None
    written_at: datetime
    read_at: datetime | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class ReferralView:
    """A referral for the page. ``status_code`` decides the buttons, the rest is words."""

    id: UUID
    form_no: str
    kind: str
    urgency: str
    emergency: bool
    status: str
    status_code: ReferralStatus
    turn: str
    ended: bool
    facility: str
    sent_at: datetime | None
    answer: TimeLeft | None
    appointment_at: datetime | None
    appointment_place: str
    guardian_told: bool
    held_until: date | None
    moves: int
    steps: tuple[Step, ...]
    note: NoteState
    back: tuple[Back, ...]

    @property
    def before_sending(self) -> bool:
        return self.status_code in BEFORE

    @property
    def answerable(self) -> bool:
        return self.status_code in ANSWERABLE

    @property
    def begins_care(self) -> bool:
        return self.status_code is ReferralStatus.ATTENDED

    @property
    def gives_time(self) -> bool:
        return self.status_code in GIVES_TIME

    @property
    def may_come(self) -> bool:
        return self.status_code is ReferralStatus.SCHEDULED

    @property
    def writable(self) -> bool:
        return self.status_code in WRITABLE


def view(
    referral: Referral,
    *,
    names: Mapping[UUID, str],
    tasks: Sequence[Task],
    clinical: bool,
    since_sent: bool = False,
    now: datetime,
    locale: str,
) -> ReferralView:
    """``names``: of everybody in the timeline. ``clinical``: whether this reader may see the clinical part.

    ``since_sent``: a facility reads the course from the day the note reached it.
    """
    waits = referral.status in RUNNING and referral.answer_due_at is not None
    replies: dict[UUID | None, ReferralReply] = {reply.id: reply for reply in referral.replies}
    return ReferralView(
        id=referral.id,
        form_no=referral.form_no,
        kind=words.word(referral.kind, locale),
        urgency=words.word(referral.urgency, locale),
        emergency=referral.urgency is Urgency.EMERGENCY,
        status=words.word(referral.status, locale),
        status_code=referral.status,
        turn=words.word(REFERRAL_TURN[referral.status], locale),
        ended=referral.ended_at is not None,
        facility=referral.facility.name if referral.facility else "",
        sent_at=referral.sent_at,
        answer=dates.time_left(referral.answer_due_at, now, locale)
        if waits and referral.answer_due_at
        else None,
        appointment_at=referral.appointment_at,
        appointment_place=referral.appointment_place or "",
        guardian_told=referral.guardian_told_at is not None,
        held_until=referral.held_until
        if referral.held_until and referral.held_until >= local_day(now)
        else None,
        moves=moves(referral),
        steps=tuple(
            Step(
                status=words.word(change.status, locale),
                at=change.changed_at,
                who=names.get(change.changed_by, "") if change.changed_by else translate(locale, "by itself"),
                reason=_reason(change.reason, locale),
                remark=change.remark or "",
                source=source(replies.get(change.reply_id), locale),
            )
            for change in referral.history
            if not since_sent or change.status not in BEFORE
        ),
        note=note_state(referral, tasks, now),
        back=tuple(
            _back(note, clinical, source(replies.get(note.reply_id), locale), locale)
            for note in reversed(referral.return_notes)
        ),
    )


def note_state(referral: Referral, tasks: Sequence[Task], now: datetime) -> NoteState:
    """Ready, being made, or overdue: the case never waits for it."""
    current = next((n for n in reversed(referral.notes) if n.number == referral.note_version), None)
    late = any(
        task.kind is TaskKind.NOTE_OVERDUE and task.subject_id == referral.id and task.due_at <= now
        for task in tasks
    )
    state = "ready" if current else "overdue" if late else "making"
    unseen = referral.frozen is None and referral.words is None
    return NoteState(state, f"/referrals/{referral.id}/note.pdf", referral.note_version, unseen)


def _reason(code: str | None, locale: str) -> str:
    if code is None:
        return ""
    for kind in (DeclineReason, NoShowReason, RefusalReason):
        if code in set(kind):
            return words.word(kind(code), locale)
    said = {
        "at_once": translate(locale, "sent by the agreement of district and facility"),
        "screened_out": translate(locale, "the talk found no need"),
        "no_answer": translate(locale, "no answer within the limit"),
        "moved": translate(locale, "a new time"),
        "passed_on": translate(locale, "taken to a better place"),
        "late": translate(locale, "opened after its limit"),
        "another_accepted": translate(locale, "another facility has accepted"),
        "told_afterwards": translate(locale, "told afterwards"),
        "pause_over": translate(locale, "the pause is over"),
        "triage": translate(locale, "nobody has seen the child in time"),
    }
    return said.get(code, code)


def advice_words(text: str | None, locale: str) -> tuple[tuple[str, str], ...]:
    """A part of the return note as labelled texts, in the order of the form; plain text as one."""
    if not text:
        return ()
    try:
        plain = json.loads(text)
    except ValueError:
        plain = text
    if not isinstance(plain, dict):
        return (("", str(plain)),)
    labels = {
        "school_advice": translate(locale, "Advice for the school"),
        "warning_signs": translate(locale, "Signs to bring the child at once"),
        "family_advice": translate(locale, "Advice for the family"),
        "contact": translate(locale, "Whom to phone"),
        "careful_until": translate(locale, "Take special care until"),
        "clinician": translate(locale, "Clinician who signed"),
        "summary": translate(locale, "Clinical part"),
        "medicine_at_school": translate(locale, "Medicine at school"),
    }
    known = [(labels[key], str(plain[key])) for key in labels if plain.get(key)]
    return (*known, *((key, str(value)) for key, value in plain.items() if key not in labels and value))


def _back(note: ReturnNote, clinical: bool, said_by: str, locale: str) -> Back:
    return Back(
        number=note.number,
        visit_on=note.visit_on,
        outcome=words.word(note.outcome, locale),
        finding=words.word(note.finding, locale),
        risk=words.word(RiskNow(note.risk_now), locale),
        attendance=words.word(Attendance(note.attendance), locale),
        advice=advice_words(note.advice, locale),
        clinical=advice_words(note.clinical, locale) if clinical else (),
        next_visit_on=note.next_visit_on,
        written_at=note.written_at,
        read_at=note.read_at,
        source=said_by,
    )


def moves(referral: Referral) -> int:
    """How often an appointment was moved: a new time after a time, with nothing in between."""
    states = [change.status for change in referral.history]
    return sum(pair == (ReferralStatus.SCHEDULED, ReferralStatus.SCHEDULED) for pair in pairwise(states))


def source(reply: ReferralReply | None, locale: str) -> str:
    """Beside a step or a return note: that it is not the facility's own press, and on whose words it stands."""
    if reply is None:
        return ""
    whom = reply.with_whom or ""
    if reply.result is ReplyResult.CONFIRMED:
        return translate(locale, "reply without an account, confirmed by phone with {whom}", whom=whom)
    if reply.source is ReplySource.PAPER:
        return translate(locale, "typed in from paper: {whom}", whom=whom)
    return translate(locale, "typed in after a call with {whom}", whom=whom)


def out_note(referral: Referral) -> NoteContent | None:
    """The note as it was sent."""
    return NoteContent.from_dict(json.loads(referral.frozen)) if referral.frozen else None
