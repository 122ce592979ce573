"""回转单: written by the clinician, in versions; it lands on the counsellor's list and makes a plan review due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from referral.actions import plans, referrals
from referral.models.case import Case
from referral.models.referral import Referral, ReturnNote
from referral.terms import Attendance, Finding, Outcome, ReferralStatus, RiskNow
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation

WRITABLE = frozenset(
    {
        ReferralStatus.ATTENDED,
        ReferralStatus.IN_CARE,
        ReferralStatus.RETURNED,
        ReferralStatus.ACKNOWLEDGED,
        ReferralStatus.COMPLETED,
    }
)


@dataclass(frozen=True, slots=True)
class ReturnNoteIn:
    """Form F1 part 3. ``advice`` is what the school reads, ``clinical`` what the guardian must have agreed to; JSON texts."""

    visit_on: date
    outcome: Outcome
    finding: Finding
    assessor_saw_probability: bool
    risk_now: RiskNow
    attendance: Attendance
    advice: str
    clinical: str | None
    next_visit_on: date | None
    guardian_agreed: bool


def write(
    session: Session, *, actor: Actor, case: Case, referral: Referral, note: ReturnNoteIn, now: datetime
) -> ReturnNote:
    """Add a version. A further note after the school has read the first one starts its reading again."""
    if referral.facility_id is None:
        raise PolicyViolation("The referral has no facility yet. Choose one first.")
    access.check_may_at(actor, May.WRITE_RETURN_NOTE, referral.facility_id)
    if referral.status not in WRITABLE:
        raise PolicyViolation("A return note is written after the child has come.")
    check(note, now)
    row = ReturnNote(
        number=len(referral.return_notes) + 1,
        visit_on=note.visit_on,
        outcome=note.outcome,
        finding=note.finding,
        assessor_saw_probability=note.assessor_saw_probability,
        risk_now=note.risk_now.value,
        attendance=note.attendance.value,
        advice=note.advice,
        # Without the guardian's agreement the clinical part is not even stored on this side.
        clinical=note.clinical if note.guardian_agreed else None,
        next_visit_on=note.next_visit_on,
        guardian_agreed=note.guardian_agreed,
        written_at=now,
        written_by=actor.account_id,
        reply_id=actor.source_id,
    )
    referral.return_notes.append(row)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.RETURN_NOTE_WRITE,
        at=now,
        child_id=referral.child_id,
        subject_id=row.id,
    )
    referrals.returned(session, actor=actor, case=case, referral=referral, now=now)
    plans.make_review_due(session, actor=actor, case=case, reason="return_note", now=now)
    return row


def check(note: ReturnNoteIn, now: datetime) -> None:
    """Days that cannot be. Raises :class:`InvalidInput`."""
    if note.visit_on > local_day(now):
        raise InvalidInput("The day of the visit lies in the future.")
    if note.next_visit_on is not None and note.next_visit_on < note.visit_on:
        raise InvalidInput("The next visit lies before this one.")
    if note.outcome is Outcome.NO_DISORDER_FOUND and note.attendance is not Attendance.FULL:
        raise InvalidInput("Where nothing was found the child is simply in school: attendance is full.")
