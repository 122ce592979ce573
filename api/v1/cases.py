"""Cases: the file, the second assessment, the plan, follow-ups."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.orm import Session

from api.deps import ActorDep, ClockDep, LocaleDep, SessionDep, json_router, needs
from api.v1.schemas.cases import (
    AssessmentIn,
    CaseFileOut,
    CaseLine,
    CasesOut,
    ConcludedOut,
    FollowUpIn,
    FollowUpOut,
    MissedIn,
    PlanOut,
    Reader,
    RevisionIn,
    WorryIn,
    WorryOut,
    people_in,
)
from api.v1.schemas.common import PageSize
from api.v1.schemas.referrals import as_json
from api.versions import IfMatchDep, Seen, show_version
from referral.actions import assessments, followups, plans
from referral.actions import cases as actions
from referral.models.case import Case
from referral.queries import cases
from referral.queries.people import people_of
from referral.queries.plan_facts import current_facts
from referral.terms import CaseStatus
from screening.access import May, check_may_about, check_may_at, may_about
from screening.core.actor import Actor
from screening.core.clock import Clock
from screening.queries.accounts import names_of
from screening.queries.children import get_child, organisation_of

router = json_router(tags=["cases"])


@router.get("/cases", dependencies=[needs(May.READ_CASES)])
def list_cases(
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
    status: Annotated[CaseStatus | None, Query()] = None,
    after: UUID | None = None,
    limit: Annotated[PageSize, Query()] = 100,
) -> CasesOut:
    """One page of the cases in sight."""
    found = cases.list_cases(session, actor=actor, now=clock.now(), status=status, after=after, limit=limit)
    names = names_of(session, [case.owner_id for case in found])
    return CasesOut(
        items=[CaseLine.of(case, Reader.of(actor, case, locale), names) for case in found],
        next=found[-1].id if len(found) == limit else None,
    )


@router.post("/cases", status_code=201, dependencies=[needs(May.RAISE_WORRY)])
def raise_worry(body: WorryIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> WorryOut:
    """Somebody is worried about a child: a person talks with the child, on the same clock as after a sheet."""
    child = get_child(session, actor=actor, child_id=body.child_id, now=clock.now())
    school = organisation_of(session, child.organisation_id)
    case = actions.raise_worry(
        session,
        actor=actor,
        child=child,
        people=people_of(session, organisation=school, now=clock.now()),
        origin=body.origin,
        now=clock.now(),
    )
    return WorryOut(case_id=case.id if may_about(actor, May.READ_CASES, child.organisation_id) else None)


@router.get("/cases/{case_id}", dependencies=[needs(May.READ_CASES)])
def show_case(
    case_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
    response: Response,
) -> CaseFileOut:
    """The case with all its parts, as far as the reader's role goes."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    file = cases.case_file(session, case=case)
    show_version(response, cases.version_of(session, case))
    return CaseFileOut.of(file, Reader.of(actor, case, locale), names_of(session, people_in(file)))


@router.post("/cases/{case_id}/assessments", status_code=201, dependencies=[needs(May.ASSESS)])
def record_assessment(
    case_id: UUID,
    body: AssessmentIn,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> ConcludedOut:
    """复评. One press at its end sets the tier, confirms the plan and, with ``send``, lets the referral leave."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    check_may_about(actor, May.ASSESS, case.organisation_id)
    _check(session, seen, case, clock)
    concluded = assessments.conclude(
        session,
        actor=actor,
        case=case,
        child=case.child,
        assessment=body.talk(by=_name(session, actor), today=clock.today()),
        now=clock.now(),
    )
    return ConcludedOut.of(concluded)


@router.post("/cases/{case_id}/tier/signature", status_code=204, dependencies=[needs(May.SIGN_TIER)])
def sign_tier(case_id: UUID, seen: IfMatchDep, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """The lead signs the tier that was set last."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    check_may_at(actor, May.SIGN_TIER, case.organisation_id)
    _check(session, seen, case, clock)
    actions.countersign(session, actor=actor, case=case, now=clock.now())


@router.post("/cases/{case_id}/plans", status_code=201, dependencies=[needs(May.CONFIRM_PLAN)])
def revise_plan(
    case_id: UUID,
    body: RevisionIn,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
) -> PlanOut:
    """The next version after a review, confirmed by whoever reviewed."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    check_may_about(actor, May.CONFIRM_PLAN, case.organisation_id)
    _check(session, seen, case, clock)
    plan = plans.revise(
        session,
        actor=actor,
        case=case,
        facts=current_facts(session, case=case, now=clock.now()),
        keep=body.keep,
        reason=body.reason,
        now=clock.now(),
    )
    return PlanOut.of(plan, Reader.of(actor, case, locale))


@router.post("/cases/{case_id}/plans/{plan_id}/confirm", dependencies=[needs(May.CONFIRM_PLAN)])
def confirm_plan(
    case_id: UUID,
    plan_id: UUID,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
) -> PlanOut:
    """Confirm a draft: from now on its measures ask something of people."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    check_may_about(actor, May.CONFIRM_PLAN, case.organisation_id)
    _check(session, seen, case, clock)
    plan = cases.get_plan(session, case=case, plan_id=plan_id)
    plans.confirm(session, actor=actor, case=case, plan=plan, now=clock.now())
    return PlanOut.of(plan, Reader.of(actor, case, locale))


@router.post("/cases/{case_id}/follow-ups/{follow_up_id}/done", dependencies=[needs(May.FOLLOW_UP)])
def complete_follow_up(
    case_id: UUID,
    follow_up_id: UUID,
    body: FollowUpIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> FollowUpOut:
    """随访 was held."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    check_may_about(actor, May.FOLLOW_UP, case.organisation_id)
    follow_up = cases.get_follow_up(session, case=case, follow_up_id=follow_up_id)
    followups.complete(
        session,
        actor=actor,
        case=case,
        follow_up=follow_up,
        channel=body.channel,
        record=as_json(body),
        now=clock.now(),
    )
    return FollowUpOut.of(follow_up)


@router.post("/cases/{case_id}/follow-ups/{follow_up_id}/missed", dependencies=[needs(May.FOLLOW_UP)])
def miss_follow_up(
    case_id: UUID,
    follow_up_id: UUID,
    body: MissedIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> FollowUpOut:
    """It could not be held, and why."""
    case = cases.get_case(session, actor=actor, case_id=case_id, now=clock.now())
    check_may_about(actor, May.FOLLOW_UP, case.organisation_id)
    follow_up = cases.get_follow_up(session, case=case, follow_up_id=follow_up_id)
    followups.miss(session, actor=actor, case=case, follow_up=follow_up, reason=body.reason, now=clock.now())
    return FollowUpOut.of(follow_up)


def _check(session: Session, seen: Seen, case: Case, clock: Clock) -> None:
    """Nobody decides on a case, or on its plan, that has changed under their eyes (RL4)."""
    things = cases.things_of(session, case)
    seen.check(session, cases.version_of(session, case), things=things, now=clock.now())


def _name(session: Session, actor: Actor) -> str:
    """Who is signed in, as it stands on paper."""
    return next(iter(names_of(session, [actor.account_id]).values()), "")
