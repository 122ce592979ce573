"""What the plan rules read, gathered from the store as plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from instruments import Grade
from referral.models.case import Case
from referral.models.plan import ComponentOffer
from referral.planning import AreaFinding, PlanFacts, SheetScores, areas_from_scores, working_tier
from referral.queries.shelves import ASSESSMENTS, living_referral
from referral.queries.signals import worst_signal
from referral.terms import Area, ContextFact, Custody, HarmAnswer, ReferralStatus, SafetyFact, Sign
from risk_model import Level
from screening.core.ahead import tell, told
from screening.core.clock import age_on, local_day
from screening.core.db import once
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose
from screening.models.import_batch import CriticalSighting
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.campaigns import consent_statuses
from screening.queries.children import category_facts, facts_of_many
from screening.queries.results import critical_answers_of, newest_results, results_of, results_of_many

_CONTEXT = frozenset(fact.value for fact in ContextFact)
_IN_CARE = frozenset({ReferralStatus.ATTENDED, ReferralStatus.IN_CARE})


def plan_facts(
    session: Session,
    *,
    case: Case,
    child: Child,
    level: Level | None,
    grade: Grade | None,
    severe: bool,
    probability: float | None,
    now: datetime,
) -> PlanFacts:
    """The facts behind the next draft. A tier set by a person stands; without one the working tier is assumed."""
    results = newest_results(_results(session, case, child))
    interview = _interview(session, case, results)
    referral = living_referral(session, case_id=case.id)
    return PlanFacts(
        working_tier=case.tier or working_tier(grade, level),
        level=level,
        grade=grade,
        probability=probability,
        severe=severe,
        areas=_areas(session, results, interview),
        signs=frozenset(Sign(sign) for sign in interview.get("signs", ())),
        safety=frozenset(SafetyFact(fact) for fact in interview.get("safety_facts", ())),
        context=_context(session, child),
        age=age_on(child.birth_date, local_day(now)),
        interview_done=bool(interview),
        harm_answer=_harm(case, child),
        available=_available(session, child.organisation_id, local_day(now)),
        consents=_consents(session, child),
        referral_open=referral is not None and referral.sent_at is not None,
        in_care=referral is not None and referral.status in _IN_CARE,
    )


def _harm(case: Case, child: Child) -> HarmAnswer | None:
    """Who may be hurting the child. That a case is kept from the school says it, unless there is somebody else."""
    said = HarmAnswer(child.harm_answer) if child.harm_answer else None
    if case.custody is Custody.PROTECTED and said in (None, HarmAnswer.NONE, HarmAnswer.UNCLEAR):
        return HarmAnswer.SCHOOL
    return said


def current_facts(session: Session, *, case: Case, now: datetime) -> PlanFacts:
    """The facts as they are now, from everything the sheets and talks of this case have said."""
    signal = worst_signal(session, case=case)
    return plan_facts(
        session,
        case=case,
        child=case.child,
        level=signal.level if signal else case.worst_level,
        grade=signal.grade if signal else None,
        severe=signal.severe if signal else False,
        probability=signal.probability if signal else None,
        now=now,
    )


def _results(session: Session, case: Case, child: Child) -> Sequence[ScreenResult]:
    """What the plan may know: a protected case has sheets of its own besides."""
    if case.custody is Custody.PROTECTED:
        return results_of(session, child_id=child.id, protected=True)
    return told(session, ("results", child.id), lambda: results_of(session, child_id=child.id))


def _interview(session: Session, case: Case, results: Sequence[ScreenResult]) -> dict[str, Any]:
    """The last second assessment, if it is newer than the newest result or sighting this draft follows."""
    last = max(ASSESSMENTS.of(session, case.id), key=lambda each: each.recorded_at, default=None)
    # An answer seen in a refused sheet or a file that waits is as new as a sheet.
    sighted = told(session, ("sighted", case.child_id), lambda: _last_sighting(session, case.child_id))
    signs = [*(result.computed_at for result in results), *([sighted] if sighted is not None else [])]
    newest = max(signs, default=None)
    if last is None or (newest is not None and last.recorded_at < newest):
        return {}
    return {"held": True, **json.loads(last.record or "{}")}


def _last_sighting(session: Session, child_id: UUID) -> datetime | None:
    return session.scalar(
        select(func.max(CriticalSighting.seen_at)).where(CriticalSighting.child_id == child_id)
    )


def _areas(
    session: Session, results: Sequence[ScreenResult], interview: dict[str, Any]
) -> tuple[AreaFinding, ...]:
    sheets = [_sheet(session, result) for result in results]
    found = {finding.area: finding for finding in areas_from_scores(sheets)}
    for area in interview.get("areas", ()):
        found.setdefault(Area(area), AreaFinding(Area(area)))
    return tuple(found.values())


def _sheet(session: Session, result: ScreenResult) -> SheetScores:
    scored = result.status is ResultStatus.SCORED
    values = {name: score["value"] for name, score in result.scores.items()} if scored else {}
    critical = (
        {answer.item: answer.answer for answer in critical_answers_of(session, result.administration)}
        if result.grade
        else {}
    )
    return SheetScores(result.administration.instrument, values, critical)


def _context(session: Session, child: Child) -> frozenset[ContextFact]:
    return frozenset(
        ContextFact(fact)
        for fact in told(
            session, ("facts", child.id), lambda: [row.fact for row in category_facts(session, child.id)]
        )
        if fact in _CONTEXT
    )


def _consents(session: Session, child: Child) -> frozenset[str]:
    return told(session, ("consents", child.id), lambda: given_consents(session, [child.id])[child.id])


def read_ahead(session: Session, child_ids: Sequence[UUID]) -> None:
    """What :func:`plan_facts` asks about these children beside their cases, in four statements."""
    consents = given_consents(session, child_ids)
    results = results_of_many(session, child_ids=child_ids)
    facts = facts_of_many(session, child_ids=child_ids)
    seen = dict(
        session.execute(
            select(CriticalSighting.child_id, func.max(CriticalSighting.seen_at))
            .where(CriticalSighting.child_id.in_(child_ids))
            .group_by(CriticalSighting.child_id)
        ).all()
    )
    for child_id in child_ids:
        tell(session, ("consents", child_id), consents[child_id])
        tell(session, ("results", child_id), results.get(child_id, []))
        tell(session, ("facts", child_id), facts.get(child_id, []))
        tell(session, ("sighted", child_id), seen.get(child_id))


def given_consents(session: Session, child_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """What each child's guardian has agreed to, as it holds now."""
    given: dict[UUID, set[str]] = {child_id: set() for child_id in child_ids}
    for (child_id, purpose), status in consent_statuses(session, child_ids, list(Purpose)).items():
        if status is ConsentStatus.GIVEN:
            given[child_id].add(purpose.value)
    return {child_id: frozenset(purposes) for child_id, purposes in given.items()}


def _available(session: Session, organisation_id: UUID, today: date) -> frozenset[str]:
    """What is on offer at a school today."""

    def read() -> frozenset[str]:
        offers = select(ComponentOffer.component).where(
            ComponentOffer.organisation_id == organisation_id,
            ComponentOffer.valid_from <= today,
            or_(ComponentOffer.valid_to.is_(None), ComponentOffer.valid_to >= today),
        )
        return frozenset(session.scalars(offers))

    return once(session, ("offers", organisation_id, today), read)
