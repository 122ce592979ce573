"""The hotline's pages: the window of one call, its lists, and a handover as its receiver reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.deps import UNSAFE
from api.web.forms import ODD_CHARACTER, Form
from api.web.presenters import dates, hotline_words, words
from api.web.presenters.dates import TimeLeft
from api.web.presenters.hotline_words import Prompt
from referral.actions.call_fields import FIELDS
from referral.models.hotline import HotlineCall, HotlineFollowUp
from referral.queries.hotline import HandoverSheet, record_of
from referral.states import CALL_DANGER, CALL_FORM, CALL_TURN
from referral.terms import CallGuard, CallLevel, CallStatus, HandoverTo, KnownAnswer
from screening.core.i18n import translate

YES_NO = frozenset(name for name in FIELDS if name in {
    "callback_ok", "confidentiality_told", "leave_message", "about_caller", "alone", "used_substance",
})  # fmt: skip
NUMBERS = frozenset({"strength", "hopeless", "mood_of_operator"})
LISTS = frozenset({"topics"})
# Shown to nobody once it is stored (decision 49): an empty box leaves it as it is.
WRITE_ONLY = "phone"
_SHOWN_OF_A_CONFLICT = 200

ELSEWHERE = "Meanwhile another window has stored: {stored}. Save again to keep what stands here."


# --- the form ----------------------------------------------------------------------------------------------


def typed(form: Form) -> dict[str, object]:
    """What a form holds of F9, as ``referral.actions.call_fields`` takes it; odd characters are noted beside it."""
    found: dict[str, object] = {}
    for name in FIELDS:
        if name not in form.sent:
            continue
        value = _value(form, name)
        if name == WRITE_ONLY and not value:
            continue
        if isinstance(value, str) and UNSAFE.search(value):
            form.wrong(name, ODD_CHARACTER)
            continue
        found[name] = value
    if form.has("phone_forget"):
        found[WRITE_ONLY] = None
    return found


def _value(form: Form, name: str) -> object:
    raw = form.raw(name).replace("\r\n", "\n")
    if name in LISTS:
        return [each for each in form.sent[name] if each]
    if name in YES_NO:
        return {"yes": True, "no": False, "": None}.get(raw, raw)
    if name in NUMBERS and raw.isdecimal() and len(raw) < 3:
        return int(raw)
    return raw


def stored(call: HotlineCall) -> Form:
    """The form as it is stored, to be shown; the number of the caller is left out."""
    record = record_of(call)
    values = {name: record.get(name) for name in FIELDS}
    for name, field in FIELDS.items():
        if field.column and name != WRITE_ONLY:
            values[name] = getattr(call, name)
    return Form({name: _as_sent(value) for name, value in values.items() if value is not None})


def _as_sent(value: object) -> list[str]:
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, list):
        return [str(each) for each in value]
    return [str(value)]


def shown(call: HotlineCall, form: Form | None) -> Form:
    """What stands in the window: what was just typed, where it could not be stored, else what is stored."""
    kept = stored(call)
    if form is None:
        return kept
    return Form({**kept.sent, **form.sent}, form.errors)


def conflicts(call: HotlineCall, values: Mapping[str, object], sequence: int) -> dict[str, str]:
    """Fields that another window has stored differently since this page was made, with what is stored."""
    kept = stored(call)
    return {
        name: ", ".join(kept.sent.get(name, ("—",)))[:_SHOWN_OF_A_CONFLICT]
        for name, value in values.items()
        if call.saved.get(name, 0) >= sequence and name != WRITE_ONLY
        if [each for each in kept.sent.get(name, ()) if each] != _as_sent("" if value is None else value)
        and (value or kept.sent.get(name))
    }


def answered(call: HotlineCall) -> Any:
    """Whether a question has its answer: ``answered(call)("strength")``."""
    sent = stored(call).sent

    def has(field: str) -> bool:
        if field == "level":
            return call.level is not None
        if field == WRITE_ONLY:
            return call.phone_sealed is not None
        return field in sent

    return has


def prompts(call: HotlineCall, locale: str) -> list[Prompt]:
    return hotline_words.prompts(call.level, answered(call), locale)


# --- the window --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guard:
    """Something a call still needs, and where on the page it is done."""

    text: str
    href: str


_WHERE = {
    CallGuard.TYPE: "type",
    CallGuard.LEVEL: "levels",
    CallGuard.SUMMARY: "summary",
    CallGuard.CONFIDENTIALITY_TOLD: "confidentiality_told",
    CallGuard.SCALES: "strength",
    CallGuard.HANDOVER: "handover",
    CallGuard.COUNTY_HANDOVER: "handover",
    CallGuard.ACKNOWLEDGED: "handed",
    CallGuard.RESULT: "handed",
    CallGuard.FOLLOW_UPS: "follow-ups",
    CallGuard.SUPERVISOR_REVIEW: "supervisor",
    CallGuard.DISCLOSURE: "supervisor",
    CallGuard.MANDATORY_REPORT: "lines",
}


def guards(missing: Iterable[CallGuard], locale: str) -> tuple[list[Guard], list[Guard]]:
    """(for the form, for other people and later days)."""
    mine: list[Guard] = []
    others: list[Guard] = []
    for guard in missing:
        if guard is not CallGuard.ENDED:
            line = Guard(words.word(guard, locale), f"#{_WHERE[guard]}")
            (mine if guard in CALL_FORM else others).append(line)
    return mine, others


@dataclass(frozen=True, slots=True)
class Handed:
    """One handover as the hotline reads it. Where a known child goes to school is not said here (AZ8)."""

    id: UUID
    call_id: UUID
    call_no: str
    level: str
    to: str
    sent_at: datetime
    phoned_at: datetime | None
    received_by: str
    acknowledged_at: datetime | None
    outside: bool
    result: str
    result_at: datetime | None
    result_words: str


def handed(rows: Sequence[HandoverSheet], names: Mapping[UUID, str], locale: str) -> list[Handed]:
    """Newest first: who has it, since when, and what they have written back."""
    return [
        Handed(
            id=row.id,
            call_id=row.call_id,
            call_no=row.call_no,
            level=row.level.value,
            to=words.word(row.to, locale),
            sent_at=row.sent_at,
            phoned_at=row.phoned_at,
            received_by=row.received_by or names.get(row.acknowledged_by or row.id, ""),
            acknowledged_at=row.acknowledged_at,
            outside=row.to in (HandoverTo.POLICE_110, HandoverTo.AMBULANCE_120),
            result=words.word(row.result, locale) if row.result else "",
            result_at=row.result_at,
            result_words=row.result_words,
        )
        for row in sorted(rows, key=lambda each: each.sent_at, reverse=True)
    ]


@dataclass(frozen=True, slots=True)
class Contact:
    """A planned contact after the call."""

    id: UUID
    due: TimeLeft
    status: str
    open: bool
    words: str


def contacts(rows: Sequence[HotlineFollowUp], now: datetime, locale: str) -> list[Contact]:
    return [
        Contact(
            id=row.id,
            due=dates.time_left(row.due_at, now, locale),
            status=words.word(row.status, locale),
            open=row.status.value == "due",
            words=row.words or "",
        )
        for row in rows
    ]


# --- lists -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One call in a list: its number and level, never a name."""

    href: str
    call_no: str
    level: str
    started_at: datetime
    status: str
    who: str
    turn: str
    due: TimeLeft | None


@dataclass(frozen=True, slots=True)
class Lists:
    """The calls of a hotline that nobody has closed, by what has to be done with them."""

    on_line: list[Line]
    mine: list[Line]
    review: list[Line]
    approve: list[Line]
    others: list[Line]


def lists(
    calls: Sequence[HotlineCall],
    *,
    me: UUID | None,
    names: Mapping[UUID, str],
    supervises: bool,
    now: datetime,
    locale: str,
) -> Lists:
    """Each call once; a supervisor's work stands apart and says what is due."""

    def line(call: HotlineCall, due: datetime | None = None) -> Line:
        return Line(
            href=f"/hotline/calls/{call.id}",
            call_no=call.call_no,
            level=call.level.value if call.level else "",
            started_at=call.started_at,
            status=translate(locale, "on the line")
            if call.ended_at is None
            else words.word(call.status, locale),
            who=names.get(call.operator_id, ""),
            turn=words.word(CALL_TURN[call.status], locale),
            due=dates.time_left(due, now, locale) if due else None,
        )

    review = sorted(
        (call for call in calls if supervises and call.review_due_at and call.reviewed_at is None),
        key=lambda call: call.review_due_at or now,
    )
    rest = [call for call in calls if call.ended_at is not None]
    return Lists(
        on_line=[line(call) for call in calls if call.ended_at is None],
        mine=[line(call) for call in rest if call.operator_id == me],
        review=[line(call, call.review_due_at) for call in review if call.operator_id != me],
        approve=[line(call) for call in calls if supervises and _asks(call) and call.operator_id != me],
        others=[line(call) for call in rest if call.operator_id != me],
    )


def _asks(call: HotlineCall) -> bool:
    """A supervisor's yes or no is waited for."""
    about_caller = call.broken_asked_by is not None and call.broken_approved_at is None
    number = call.phone_asked_by is not None and call.phone_approved_at is None and call.level in CALL_DANGER
    return about_caller or number


# --- the receiver ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Incoming:
    """One handover in the receiver's list, by number."""

    href: str
    call_no: str
    level: CallLevel
    to_do: str
    sent_at: datetime
    state: str
    acknowledged: bool


def incoming(rows: Sequence[HandoverSheet], locale: str) -> list[Incoming]:
    """What nobody has acknowledged first, the most urgent of it in front."""
    found = [
        Incoming(
            href=f"/hotline/handovers/{row.id}",
            call_no=row.call_no,
            level=row.level,
            to_do=level_words(row.level, locale),
            sent_at=row.sent_at,
            state=_state(row, locale),
            acknowledged=row.acknowledged_at is not None,
        )
        for row in rows
    ]
    return sorted(found, key=lambda row: (row.acknowledged, row.level.rank, row.sent_at))


def _state(row: HandoverSheet, locale: str) -> str:
    if row.result is not None:
        return words.word(row.result, locale)
    if row.acknowledged_at is not None:
        return translate(locale, "taken; the hotline waits for the result")
    return translate(locale, "nobody has said yet that they have it")


def level_words(level: CallLevel, locale: str) -> str:
    """A level as what it asks for."""
    said = {
        CallLevel.A: translate(locale, "at once: somebody goes there now"),
        CallLevel.B: translate(locale, "within the hour: somebody speaks with the child today"),
        CallLevel.C: translate(locale, "next working day: somebody speaks with the child"),
        CallLevel.D: translate(locale, "information"),
    }
    return said[level]


def level_names(locale: str) -> dict[str, str]:
    """The four levels as the operator knows them."""
    said = {
        CallLevel.A: translate(locale, "emergency"),
        CallLevel.B: translate(locale, "danger"),
        CallLevel.C: translate(locale, "concern"),
        CallLevel.D: translate(locale, "general"),
    }
    return {level.value: text for level, text in said.items()}


def answer_words(answer: KnownAnswer, locale: str) -> str:
    """All that a hotline is told about whether a child is known (AZ8)."""
    said = {
        KnownAnswer.NO_MATCH: translate(locale, "No match"),
        KnownAnswer.ONE_MATCH: translate(locale, "One match: ring the number on duty"),
        KnownAnswer.ASK_COUNTY: translate(locale, "Not clear: ask the county on duty"),
    }
    return said[answer]


def closed(call: HotlineCall) -> bool:
    return call.status is CallStatus.CLOSED
