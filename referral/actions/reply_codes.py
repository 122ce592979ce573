"""The codes on a note: made when it is sent, looked up when somebody uses one, counted when somebody guesses."""

from __future__ import annotations

import hmac
from datetime import date, datetime, timedelta
from random import SystemRandom

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import notices
from referral.actions.referral_steps import ask_school
from referral.models.case import Case
from referral.models.referral import Referral
from referral.models.reply import FacilityCode, ReplyCode
from referral.queries.replies import CODE_INDEX, TOKEN_INDEX, find_by_number, is_answerable, token_of
from referral.terms import TaskKind
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import NotPermitted
from screening.core.reply_code import FACILITY_CODE_LENGTH, new_code, new_token, typed
from screening.core.types import keyring_of
from screening.models.organisation import Organisation, OrganisationKind

_RANDOM = SystemRandom()
WRONG_TRIES = 5
BLOCKED_FOR = timedelta(hours=1)


def issue(session: Session, *, referral: Referral, now: datetime) -> tuple[str, str]:
    """Token and code of a note that leaves now. They stand, sealed, in the frozen note and nowhere else."""
    token, code = new_token(_RANDOM), new_code(_RANDOM)
    keyring = keyring_of(referral)
    session.add(
        ReplyCode(
            referral_id=referral.id,
            token_index=keyring.blind(TOKEN_INDEX, token),
            code_index=keyring.blind(CODE_INDEX, code),
            made_at=now,
        )
    )
    return token, code


def token_for(session: Session, *, form_no: str, code: str, now: datetime) -> str | None:
    """The token of the note with this number, if the code is its own; a wrong one is counted.

    ``None`` says the same for an unknown number, a wrong code, a referral that has ended and a code that stands
    still after five wrong tries (decision 45).
    """
    referral = find_by_number(session, form_no=typed(form_no))
    if referral is None or not is_answerable(referral):
        return None
    own = _locked(session, referral)
    if own is None or _waits(own.code_blocked_until, now):
        return None
    if not hmac.compare_digest(own.code_index, keyring_of(referral).blind(CODE_INDEX, typed(code))):
        own.code_failures += 1
        if own.code_failures >= WRONG_TRIES:
            own.code_failures, own.code_blocked_until = 0, now + BLOCKED_FOR
            _tell_school(session, referral, "code", now)
        return None
    own.code_failures = 0
    return token_of(referral)


def facility_code_failed(session: Session, *, referral: Referral, now: datetime) -> None:
    """Somebody with the note did not know the facility's own code. Five times: the school hears of it."""
    own = _locked(session, referral)
    if own is None:
        return
    own.facility_failures += 1
    if own.facility_failures >= WRONG_TRIES:
        own.facility_failures, own.facility_blocked_until = 0, now + BLOCKED_FOR
        _tell_school(session, referral, "facility", now)


def facility_code_blocked(session: Session, *, referral: Referral, now: datetime) -> bool:
    """Whether the facility's code is not even looked at, after wrong ones."""
    own = session.scalars(select(ReplyCode).where(ReplyCode.referral_id == referral.id)).one_or_none()
    return own is not None and _waits(own.facility_blocked_until, now)


def _locked(session: Session, referral: Referral) -> ReplyCode | None:
    """The row of the counts, held until the end: of two tries at once none is forgotten."""
    statement = select(ReplyCode).where(ReplyCode.referral_id == referral.id).with_for_update()
    return session.scalars(statement).one_or_none()


def _waits(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until


def _tell_school(session: Session, referral: Referral, which: str, now: datetime) -> None:
    system = Actor.system(on_behalf_of=referral.facility_id)
    case = session.get_one(Case, referral.case_id)
    audit.record(
        session,
        actor=system,
        event=AuditEvent.REPLY_REFUSE,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
        detail={"code": which, "tries": WRONG_TRIES},
    )
    due = china().closing(china().next_working_day(local_day(now)))
    task = ask_school(session, system, case, TaskKind.REPLY_TRIED, referral.id, due, None, now)
    notices.ring(session, task=task, step=0, whom=[case.owner_id], urgent=False, now=now)


# --- the facility's own code -------------------------------------------------------------------------------


def new_facility_code() -> str:
    """A code for a facility: chosen by the machine, so that it is nobody's telephone number."""
    return new_code(_RANDOM, FACILITY_CODE_LENGTH)


def end_of_term(day: date) -> date:
    """Until when a code set on ``day`` is good: the end of January or of July, whichever comes first."""
    if day <= date(day.year, 1, 31):
        return date(day.year, 1, 31)
    return date(day.year, 7, 31) if day <= date(day.year, 7, 31) else date(day.year + 1, 1, 31)


def check_may_set(actor: Actor, facility: Organisation) -> None:
    """The administrator, the district above the facility, the facility's own lead. Raises :class:`NotPermitted`."""
    if facility.kind is not OrganisationKind.FACILITY:
        raise NotPermitted
    if actor.is_system or access.may(actor, May.MANAGE_ACCOUNTS):
        return
    for grant in actor.grants:
        if May.SET_FACILITY_CODE in access.MAY[grant.role] and facility.path.startswith(
            grant.organisation_path
        ):
            return
    raise NotPermitted


def set_facility_code(
    session: Session,
    *,
    actor: Actor,
    facility: Organisation,
    code_hash: str,
    valid_to: date,
    now: datetime,
) -> None:
    """A new code holds at once; the former one ends. Only the hash is stored."""
    check_may_set(actor, facility)
    former = session.scalars(
        select(FacilityCode)
        .where(FacilityCode.facility_id == facility.id, FacilityCode.ended_at.is_(None))
        .with_for_update()
    ).one_or_none()
    if former is not None:
        former.ended_at = now
        session.flush()  # one current code per facility: the former row goes first
    session.add(
        FacilityCode(
            facility_id=facility.id,
            code_hash=code_hash,
            valid_to=valid_to,
            set_at=now,
            set_by=actor.account_id,
        )
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.FACILITY_CODE_SET,
        at=now,
        subject_id=facility.id,
        detail={"valid_to": valid_to.isoformat()},
    )
