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
from referral.models.case import Assessment, Case
from referral.models.plan import ComponentOffer
from referral.models.referral import Referral
from referral.planning import AreaFinding, PlanFacts, SheetScores, areas_from_scores, working_tier
from referral.queries.signals import worst_signal
from referral.terms import Area, ContextFact, Custody, HarmAnswer, ReferralStatus, SafetyFact, Sign
from risk_model import Level
from screening.core.clock import age_on, local_day
from screening.core.db import once
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose
from screening.models.import_batch import CriticalSighting
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.campaigns import current_consents
from screening.queries.children import category_facts
from screening.queries.results import critical_answers_of, newest_results, results_of

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
    results = newest_results(
        results_of(session, child_id=child.id, protected=case.custody is Custody.PROTECTED)
    )
    interview = _interview(session, case, results)
    # Of two (a silent facility, and the one asked after it) the living one, as everywhere.
    referral = session.scalars(
        select(Referral)
        .where(Referral.case_id == case.id, Referral.ended_at.is_(None))
        .order_by(Referral.status == ReferralStatus.EXPIRED_NO_ANSWER, Referral.drafted_at.desc())
        .limit(1)
    ).one_or_none()
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
        harm_answer=HarmAnswer(child.harm_answer) if child.harm_answer else None,
        available=_available(session, child.organisation_id, local_day(now)),
        consents=_consents(session, child),
        referral_open=referral is not None and referral.sent_at is not None,
        in_care=referral is not None and referral.status in _IN_CARE,
    )


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


def _interview(session: Session, case: Case, results: Sequence[ScreenResult]) -> dict[str, Any]:
    """The last second assessment, if it is newer than the newest result or sighting this draft follows."""
    last = session.scalars(
        select(Assessment)
        .where(Assessment.case_id == case.id)
        .order_by(Assessment.recorded_at.desc())
        .limit(1)
    ).one_or_none()
    # An answer seen in a refused sheet or a file that waits is as new as a sheet.
    sighted = session.scalar(
        select(func.max(CriticalSighting.seen_at)).where(CriticalSighting.child_id == case.child_id)
    )
    signs = [*(result.computed_at for result in results), *([sighted] if sighted is not None else [])]
    newest = max(signs, default=None)
    if last is None or (newest is not None and last.recorded_at < newest):
        return {}
    return {"held": True, **json.loads(last.record or "{}")}


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
        ContextFact(row.fact) for row in category_facts(session, child.id) if row.fact in _CONTEXT
    )


def _consents(session: Session, child: Child) -> frozenset[str]:
    given = current_consents(session, [child.id], list(Purpose))
    return frozenset(
        purpose.value for (_, purpose), consent in given.items() if consent.status is ConsentStatus.GIVEN
    )


def _available(session: Session, organisation_id: UUID, today: date) -> frozenset[str]:
    """What is on offer at a school today."""
    offers = select(ComponentOffer.component).where(
        ComponentOffer.organisation_id == organisation_id,
        ComponentOffer.valid_from <= today,
        or_(ComponentOffer.valid_to.is_(None), ComponentOffer.valid_to >= today),
    )
    return once(session, ("offers", organisation_id, today), lambda: frozenset(session.scalars(offers)))
