"""转介 from the school's side: draft, the guardian's answer, send, hold, take back, pass on, read what came back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.versions import Seen, SeenDep
from api.web.forms import FormDep
from api.web.pages import go
from api.web.routes.cases import REFERRAL
from api.web.routes.talks import record_agreement
from referral.actions import answers, plans, referrals, reroutes
from referral.models.case import Case
from referral.models.referral import Referral
from referral.planning import ReferralNeed
from referral.queries.cases import get_case
from referral.terms import RefusalReason, Urgency
from screening.access import May
from screening.core.actor import Actor
from screening.core.errors import InvalidInput, NotFound, PolicyViolation

router = page_router(
    prefix="/cases/{case_id}/referral",
    dependencies=[Depends(get_page_actor), needs(May.SEND_REFERRAL, May.READ_RETURN_NOTE)],
)
SENDER = needs(May.SEND_REFERRAL)


def _found(session: Session, actor: Actor, case_id: UUID, seen: Seen, now: datetime) -> tuple[Case, Referral]:
    """The case through the scope, and its open referral, as it was when the page was opened (RL4)."""
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    referral = referrals.find_open(session, case_id=case.id)
    if referral is None:
        raise NotFound
    seen.check(session, referral.version, things=[referral.id], now=now, place=REFERRAL)
    return case, referral


def _back(case: Case) -> Response:
    return go(f"/cases/{case.id}#referral")


@router.post("/draft", dependencies=[SENDER])
def draft(
    case_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """A referral by hand, where no rule has drafted one."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    urgency = form.choice("urgency", Urgency, needed=True) or Urgency.ROUTINE
    form.check()
    if case.closed_at is not None:
        raise PolicyViolation("The case is closed.")
    need = ReferralNeed(urgency=urgency, why=("by_hand",), rules=())
    referrals.draft_or_update(session, actor=actor, case=case, child=case.child, need=need, now=now)
    return _back(case)


@router.post("/told", dependencies=[SENDER])
def told(case_id: UUID, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """A person has told the guardian about this referral; the answer may still be open."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    referrals.tell_guardian(session, actor=actor, referral=referral, now=now)
    return _back(case)


@router.post("/guardian", dependencies=[SENDER, needs(May.RECORD_CONSENT)])
def guardian(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The guardian has answered; if agreed and ticked it leaves with this press."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    if form.raw("answer") not in ("agreed", "refused"):
        raise InvalidInput("Please choose one of the answers.")
    agreed = form.raw("answer") == "agreed"
    form.text("agreed_by", limit=60, needed=True)
    refusal = None if agreed else form.choice("refusal", RefusalReason, needed=True)
    present = form.text("present", limit=60)
    form.check()
    record_agreement(session, actor, case.child, form, agreed=agreed, now=now)
    referrals.guardian_answered(
        session,
        actor=actor,
        case=case,
        referral=referral,
        agreed=agreed,
        refusal=refusal,
        present=present or None,
        now=now,
    )
    if agreed and form.has("send"):
        _send(session, actor, case, referral, None, now)
    return _back(case)


@router.post("/send", dependencies=[SENDER])
def send(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The note leaves, with consent or, with an escort, on the emergency basis."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    emergency = form.has("emergency")
    escort = form.text("escort", limit=60, needed=emergency)
    form.check()
    _send(session, actor, case, referral, escort if emergency else None, now)
    return _back(case)


def _send(
    session: Session, actor: Actor, case: Case, referral: Referral, escort: str | None, now: datetime
) -> None:
    referrals.send(
        session,
        actor=actor,
        case=case,
        child=case.child,
        referral=referral,
        emergency=escort is not None,
        escort=escort,
        now=now,
    )


@router.post("/hold", dependencies=[SENDER])
def hold(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Nothing leaves by itself until a day, with a reason."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    until = form.day("until", needed=True)
    reason = form.text("reason", limit=120, needed=True)
    form.check()
    if until is not None:
        referrals.hold(
            session, actor=actor, case=case, referral=referral, until=until, reason=reason, now=now
        )
    return _back(case)


@router.post("/withdraw", dependencies=[SENDER])
def withdraw(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Take the referral back, with a reason."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    reason = form.text("reason", limit=80, needed=True)
    form.check()
    referrals.withdraw(session, actor=actor, referral=referral, reason=reason, now=now)
    return _back(case)


@router.post("/reroute", dependencies=[SENDER])
def reroute(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Ask the next facility; nothing is typed twice."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    reroutes.reroute(
        session,
        actor=actor,
        case=case,
        child=case.child,
        referral=referral,
        facility_id=None,
        in_parallel=form.has("in_parallel"),
        now=now,
    )
    return _back(case)


@router.post("/tell", dependencies=[SENDER])
def tell(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """What the facility asked for; its clock goes on."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    answer = form.text("answer", limit=400, needed=True)
    form.check()
    answers.tell_more(session, actor=actor, case=case, referral=referral, answer=answer, now=now)
    return _back(case)


@router.post("/acknowledge", dependencies=[needs(May.READ_RETURN_NOTE)])
def acknowledge(
    case_id: UUID, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The return note has been read; the plan has to follow."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    referrals.acknowledge(session, actor=actor, case=case, referral=referral, now=now)
    return _back(case)


@router.post("/complete", dependencies=[SENDER])
def complete(
    case_id: UUID, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The loop is closed: the plan was reviewed, the facility's view ends."""
    now = clock.now()
    case, referral = _found(session, actor, case_id, seen, now)
    current = plans.current(session, case=case)
    referrals.complete(
        session,
        actor=actor,
        case=case,
        referral=referral,
        plan_status=current.status if current else None,
        now=now,
    )
    return _back(case)
