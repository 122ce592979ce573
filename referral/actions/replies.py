"""What a facility says without an account: kept until it is verified, or typed in by the school; then carried out.

Whoever holds a note may say *received*, *appointment* or *did not come*; a return note needs the facility's own code
as well (decision 21). None of it changes anything before the school has called the facility's registered number: no
clock ends, nothing is closed, the ladder goes on ringing. What has been verified, and what the school types in from
paper or the telephone (代录), goes through the same actions as the facility's own presses; the trail names who
carried it in and for whom.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import answers, notices, return_notes
from referral.actions.referral_steps import ask_school, settle
from referral.actions.return_notes import ReturnNoteIn
from referral.models.case import Case
from referral.models.referral import Referral
from referral.models.reply import ReferralReply
from referral.queries.replies import is_answerable
from referral.terms import (
    Attendance,
    DeclineReason,
    Finding,
    NoShowReason,
    Outcome,
    ReferralStatus,
    ReplyKind,
    ReplyResult,
    ReplySource,
    RiskNow,
    TaskKind,
    Urgency,
)
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor, Grant, Role
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import LOCAL, local_day
from screening.core.errors import InvalidInput, NotFound, PolicyViolation
from screening.models.organisation import Organisation

BY_CODE = frozenset({ReplyKind.RECEIVED, ReplyKind.APPOINTMENT, ReplyKind.DID_NOT_COME})
WITH_FACILITY_CODE = frozenset({ReplyKind.RETURN_NOTE})
# An emergency's answer is called back at once, every other on the same or the next working day.
VERIFY_EMERGENCY_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Said:
    """What a facility says. ``at``: the appointment (also the one that was missed); the rest as its kind needs it."""

    kind: ReplyKind
    at: datetime | None = None
    place: str = ""
    contact: str = ""
    decline_reason: DeclineReason | None = None
    better_place: str = ""
    no_show_reason: NoShowReason | None = None
    note: ReturnNoteIn | None = None

    def as_text(self) -> str:
        """JSON, to be sealed."""
        plain = {key: value for key, value in asdict(self).items() if value not in (None, "")}
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, default=_plain)

    @classmethod
    def from_text(cls, text: str) -> Said:
        """The inverse of :meth:`as_text`."""
        plain = json.loads(text)
        return cls(**{key: _READ.get(key, str)(value) for key, value in plain.items()})


def _plain(value: object) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _note(plain: dict[str, Any]) -> ReturnNoteIn:
    wanted = {each.name: plain.get(each.name) for each in fields(ReturnNoteIn)}
    return ReturnNoteIn(**{key: _READ_NOTE.get(key, _same)(value) for key, value in wanted.items()})


def _same(value: Any) -> Any:
    return value


def _day_or_none(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


_READ: dict[str, Callable[[Any], Any]] = {
    "kind": ReplyKind,
    "at": datetime.fromisoformat,
    "decline_reason": DeclineReason,
    "no_show_reason": NoShowReason,
    "note": _note,
}
_READ_NOTE: dict[str, Callable[[Any], Any]] = {
    "visit_on": date.fromisoformat,
    "next_visit_on": _day_or_none,
    "outcome": Outcome,
    "finding": Finding,
    "risk_now": RiskNow,
    "attendance": Attendance,
}


# --- by the note's code ------------------------------------------------------------------------------------


def opened(session: Session, *, referral: Referral, now: datetime) -> None:
    """Somebody has opened the reply page of a note. It shows no child; that it was opened is in the trail."""
    _record(
        session, Actor.system(on_behalf_of=referral.facility_id), AuditEvent.REPLY_OPEN, referral, None, now
    )


def arrive(
    session: Session, *, referral: Referral, said: Said, facility_code_right: bool, now: datetime
) -> ReferralReply:
    """Keep what was said, unverified, and ask the school to call. The same again is nothing.

    Raises :class:`PolicyViolation` for what a note's code alone may not say (scenario A38), and
    :class:`NotFound` when the referral has ended meanwhile.
    """
    session.refresh(
        referral, with_for_update={"of": Referral}
    )  # the same sent twice at once: the second finds the first
    if not is_answerable(referral):
        raise NotFound
    if said.kind not in BY_CODE and not (said.kind in WITH_FACILITY_CODE and facility_code_right):
        raise PolicyViolation("A return note needs the facility's own code. Nothing was saved.")
    _check(said, now)
    text = _without_clinical(said).as_text()
    former = session.scalars(
        select(ReferralReply)
        .where(
            ReferralReply.referral_id == referral.id,
            ReferralReply.kind == said.kind,
            ReferralReply.settled_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    if former is not None:
        if former.said == text:
            return former
        former.settled_at, former.result = now, ReplyResult.REPLACED
        session.flush()  # one waiting reply of a kind: the former one goes first
    reply = ReferralReply(
        referral_id=referral.id, kind=said.kind, source=ReplySource.CODE, said=text, arrived_at=now
    )
    session.add(reply)
    system = Actor.system(on_behalf_of=referral.facility_id)
    _record(session, system, AuditEvent.REPLY_ARRIVE, referral, reply, now)
    case = session.get_one(Case, referral.case_id)
    task = ask_school(
        session, system, case, TaskKind.REPLY_VERIFY, referral.id, _verify_by(referral, now), None, now
    )
    urgent = referral.urgency is Urgency.EMERGENCY
    notices.ring(session, task=task, step=0, whom=[case.owner_id], urgent=urgent, now=now)
    return reply


def _verify_by(referral: Referral, now: datetime) -> datetime:
    if referral.urgency is Urgency.EMERGENCY:
        return now + VERIFY_EMERGENCY_WITHIN
    return china().closing(china().add_working_days(local_day(now), 1))


def _without_clinical(said: Said) -> Said:
    """Without the guardian's agreement the clinical part is not even stored on this side."""
    if said.note is None or said.note.guardian_agreed:
        return said
    return replace(said, note=replace(said.note, clinical=None))


def _check(said: Said, now: datetime) -> None:
    """What can be seen to be wrong before anybody calls. Raises :class:`InvalidInput`."""
    if said.kind is ReplyKind.APPOINTMENT and (said.at is None or said.at <= now):
        raise InvalidInput("The appointment lies in the past.")
    if said.kind is ReplyKind.DID_NOT_COME and said.at is not None and said.at > now:
        raise InvalidInput("This appointment lies in the future.")
    if said.kind is ReplyKind.RETURN_NOTE:
        if said.note is None:
            raise InvalidInput("The return note is missing.")
        return_notes.check(said.note, now)


# --- the school verifies -----------------------------------------------------------------------------------


def confirm(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    reply: ReferralReply,
    with_whom: str,
    now: datetime,
) -> None:
    """The school has called the facility's registered number, and somebody there says: yes, that is ours.

    Now it is carried out as if the facility had pressed it itself. What cannot be carried out any more raises, and
    the reply goes on waiting for a person's decision.
    """
    _check_open(session, actor, case, reply)
    if not with_whom.strip():
        raise InvalidInput("Say with whom you spoke.")
    _settle(session, actor, referral, reply, ReplyResult.CONFIRMED, with_whom, now)
    said = Said.from_text(reply.said or "{}")
    carry_out(
        session,
        actor=_for_them(session, actor, referral, reply),
        case=case,
        referral=referral,
        said=said,
        now=now,
    )


def set_aside(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    reply: ReferralReply,
    reason: str,
    now: datetime,
) -> None:
    """The facility knows nothing of it, or it no longer fits: it stays on record and changes nothing."""
    _check_open(session, actor, case, reply)
    if not reason.strip():
        raise InvalidInput("Say why.")
    _settle(session, actor, referral, reply, ReplyResult.SET_ASIDE, reason, now)


def _check_open(session: Session, actor: Actor, case: Case, reply: ReferralReply) -> None:
    access.check_may_about(actor, May.SEND_REFERRAL, case.organisation_id)
    session.refresh(
        reply, with_for_update={"of": ReferralReply}
    )  # of two who press at once the second reads what the first did
    if reply.settled_at is not None:
        raise PolicyViolation("This reply has already been dealt with.")


def _settle(
    session: Session,
    actor: Actor,
    referral: Referral,
    reply: ReferralReply,
    result: ReplyResult,
    words: str,
    now: datetime,
) -> None:
    reply.settled_at, reply.settled_by, reply.result = now, actor.account_id, result
    reply.with_whom = words.strip()[:120]
    _record(session, actor, AuditEvent.REPLY_SETTLE, referral, reply, now)
    session.flush()
    waiting = select(ReferralReply.id).where(
        ReferralReply.referral_id == referral.id, ReferralReply.settled_at.is_(None)
    )
    if session.scalars(waiting.limit(1)).first() is None:
        settle(session, actor, TaskKind.REPLY_VERIFY, referral, result.value, now)


# --- 代录: the school types it in --------------------------------------------------------------------------


def type_in(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    said: Said,
    source: ReplySource,
    with_whom: str,
    now: datetime,
) -> ReferralReply:
    """What came on paper or by telephone, by the facility's number on record; carried out at once.

    ``with_whom``: who was spoken to; for a paper, whose signature it carries.
    """
    access.check_may_about(actor, May.SEND_REFERRAL, case.organisation_id)
    if source is ReplySource.CODE:
        raise InvalidInput("Say whether it came on paper or by telephone.")
    if not with_whom.strip():
        raise InvalidInput("Say with whom you spoke, or who signed the paper.")
    if referral.sent_at is None:
        raise PolicyViolation("This referral has not been sent yet.")
    reply = ReferralReply(
        referral_id=referral.id,
        kind=said.kind,
        source=source,
        said=_without_clinical(said).as_text(),
        arrived_at=now,
        typed_by=actor.account_id,
        settled_at=now,
        settled_by=actor.account_id,
        result=ReplyResult.TYPED,
        with_whom=with_whom.strip()[:120],
    )
    session.add(reply)
    _record(session, actor, AuditEvent.REPLY_TYPE, referral, reply, now)
    carry_out(
        session,
        actor=_for_them(session, actor, referral, reply),
        case=case,
        referral=referral,
        said=said,
        now=now,
    )
    return reply


# --- carried out -------------------------------------------------------------------------------------------


def _for_them(session: Session, actor: Actor, referral: Referral, reply: ReferralReply) -> Actor:
    """The person, writing on the facility's behalf: for this one reply they may do what the facility may."""
    if referral.facility_id is None:
        raise PolicyViolation("The referral has no facility yet. Choose one first.")
    facility = session.get_one(Organisation, referral.facility_id)
    theirs = (Grant(Role.CLINICIAN, facility.id, facility.path),)
    return replace(actor, grants=theirs, on_behalf_of=facility.id, source_id=reply.id)


def carry_out(
    session: Session, *, actor: Actor, case: Case, referral: Referral, said: Said, now: datetime
) -> None:
    """The facility's own actions, in the order in which they would have been pressed."""
    _CARRY[said.kind](session, said, {"actor": actor, "case": case, "referral": referral, "now": now})


Both = dict[str, Any]  # actor, case, referral, now: what every action of a facility takes


def _receive(session: Session, said: Said, both: Both) -> None:
    answers.receive(session, actor=both["actor"], referral=both["referral"], now=both["now"])


def _accept(session: Session, said: Said, both: Both) -> None:
    answers.accept(session, contact=said.contact or None, **both)


def _decline(session: Session, said: Said, both: Both) -> None:
    if said.decline_reason is None:
        raise InvalidInput("Say why.")
    answers.decline(session, reason=said.decline_reason, better_place=said.better_place, **both)


def _appoint(session: Session, said: Said, both: Both) -> None:
    _accepted(session, said, both)
    answers.schedule(session, at=_needed(said.at), place=said.place or _place(both["referral"]), **both)


def _came(session: Session, said: Said, both: Both) -> None:
    _scheduled(session, said, both)
    answers.attended(session, **both)


def _missed(session: Session, said: Said, both: Both) -> None:
    _scheduled(session, said, both)
    answers.no_show(session, reason=said.no_show_reason or NoShowReason.UNKNOWN, **both)


def _begin_care(session: Session, said: Said, both: Both) -> None:
    answers.take_into_care(session, actor=both["actor"], referral=both["referral"], now=both["now"])


NOT_ACCEPTED = frozenset(
    {
        ReferralStatus.SENT,
        ReferralStatus.RECEIVED,
        ReferralStatus.INFO_REQUESTED,
        ReferralStatus.EXPIRED_NO_ANSWER,
    }
)


def _accepted(session: Session, said: Said, both: Both) -> None:
    """Whoever gives a time, or has seen the child, has accepted."""
    if both["referral"].status in NOT_ACCEPTED:
        answers.accept(session, contact=said.contact or None, **both)


def _scheduled(session: Session, said: Said, both: Both) -> None:
    """The appointment that the child came to, or missed, where nobody had told it before."""
    _accepted(session, said, both)
    referral: Referral = both["referral"]
    if referral.status in (ReferralStatus.ACCEPTED, ReferralStatus.NO_SHOW):
        answers.schedule(session, at=_needed(said.at), place=said.place or _place(referral), **both)


def _returned(session: Session, said: Said, both: Both) -> None:
    note, referral = said.note, both["referral"]
    if note is None:
        raise InvalidInput("The return note is missing.")
    if referral.status not in return_notes.WRITABLE:
        # The hour is not known: the day of the visit, from when the office opens.
        seen = datetime.combine(note.visit_on, time(8), LOCAL)
        _scheduled(session, replace(said, at=said.at or seen), both)
        answers.attended(session, **both)
    return_notes.write(session, note=note, **both)


_CARRY: dict[ReplyKind, Callable[[Session, Said, Both], None]] = {
    ReplyKind.RECEIVED: _receive,
    ReplyKind.ACCEPTED: _accept,
    ReplyKind.DECLINED: _decline,
    ReplyKind.APPOINTMENT: _appoint,
    ReplyKind.CAME: _came,
    ReplyKind.DID_NOT_COME: _missed,
    ReplyKind.IN_CARE: _begin_care,
    ReplyKind.RETURN_NOTE: _returned,
}


def _place(referral: Referral) -> str:
    return referral.facility.name if referral.facility else ""


def _needed(at: datetime | None) -> datetime:
    if at is None:
        raise InvalidInput("Say when the appointment was or is.")
    return at


def _record(
    session: Session,
    actor: Actor,
    event: AuditEvent,
    referral: Referral,
    reply: ReferralReply | None,
    now: datetime,
) -> None:
    detail = {"kind": reply.kind.value, "source": reply.source.value} if reply else None
    if reply is not None and reply.result is not None and detail is not None:
        detail["result"] = reply.result.value
    audit.record(
        session,
        actor=actor,
        event=event,
        at=now,
        child_id=referral.child_id,
        subject_id=reply.id if reply else referral.id,
        detail=detail,
    )
