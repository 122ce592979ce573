"""复评: a person has seen the child. One press at its end sets the tier, confirms the plan and sends (decision 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from referral.actions import cases, crises, followups, plans, referrals, tasks, worries
from referral.models.case import Assessment, Case
from referral.planning import PlanDraft, ReferralNeed
from referral.queries.plan_facts import current_facts
from referral.terms import (
    CaseStatus,
    ClosingReason,
    Custody,
    FollowUpChannel,
    FollowUpTemplate,
    HarmAnswer,
    TaskKind,
    Tier,
    Urgency,
)
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.child import Child


@dataclass(frozen=True, slots=True)
class AssessmentIn:
    """Form F4 as far as the loop needs it. ``record`` holds the rest of the form as plain values.

    ``concern`` is the counsellor's own 0–3, asked before the score is shown (it is data for the model).
    ``words`` is what goes on part 2 of the note. ``send``: let the referral leave now. ``dropped``: measures of the
    draft plan that the person has unticked.
    """

    held_at: datetime
    channel: FollowUpChannel
    tier: Tier | None
    screened_out: bool
    reason: str
    concern: int | None = None
    harm_answer: HarmAnswer | None = None
    areas: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    safety_facts: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    words: dict[str, Any] = field(default_factory=dict)
    send: bool = False
    emergency: bool = False
    escort: str | None = None
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Concluded:
    """What the press did, and what it could not do yet."""

    assessment: Assessment
    plan_confirmed: bool
    sent: bool
    waits_for: str | None


def conclude(
    session: Session, *, actor: Actor, case: Case, child: Child, assessment: AssessmentIn, now: datetime
) -> Concluded:
    """Record the talk and all that follows from it in one transaction."""
    access.check_may(actor, May.ASSESS)
    if case.closed_at is not None:
        raise PolicyViolation("The case is closed.")
    _check(assessment, now)
    row = _record(session, actor, case, child, assessment, now)
    cases.talks_held(session, actor=actor, case=case, decision="held", now=now)
    if case.status is CaseStatus.INTAKE:
        cases.move(session, actor=actor, case=case, to=CaseStatus.ASSESSING, reason=None, now=now)
    if assessment.screened_out:
        _screen_out(session, actor, case, assessment, now)
        return Concluded(row, plan_confirmed=False, sent=False, waits_for=None)
    return _go_on(session, actor, case, child, assessment, row, now)


def _check(assessment: AssessmentIn, now: datetime) -> None:
    if assessment.held_at > now:
        raise InvalidInput("The talk lies in the future.")
    if assessment.screened_out == (assessment.tier is not None):
        raise InvalidInput("Either set a tier or screen out; not both, not neither.")
    if assessment.tier is Tier.ROUTINE:
        raise InvalidInput("The tier routine means that nothing further is needed: screen out instead.")
    if not assessment.reason.strip():
        raise InvalidInput("Say in a few words what was seen.")
    if assessment.concern is not None and not 0 <= assessment.concern <= 3:
        raise InvalidInput("The concern is a number from 0 to 3.")


def _record(
    session: Session, actor: Actor, case: Case, child: Child, assessment: AssessmentIn, now: datetime
) -> Assessment:
    if actor.account_id is None:
        raise PolicyViolation("Only a person holds an assessment.")
    record = {
        **assessment.record,
        "reason": assessment.reason.strip(),
        "areas": list(assessment.areas),
        "signs": list(assessment.signs),
        "safety_facts": list(assessment.safety_facts),
    }
    row = Assessment(
        case_id=case.id,
        child_id=case.child_id,
        held_at=assessment.held_at,
        recorded_at=now,
        recorded_by=actor.account_id,
        channel=assessment.channel.value,
        concern=assessment.concern,
        tier=assessment.tier,
        screened_out=assessment.screened_out,
        record=json.dumps(record, ensure_ascii=False, sort_keys=True),
    )
    session.add(row)
    if assessment.harm_answer is not None:
        _keep_harm(session, actor, case, child, assessment.harm_answer, now)
        tasks.settle(
            session,
            actor=actor,
            kind=TaskKind.GUARDIAN_HARM_QUESTION,
            subject_id=case.id,
            decision="answered",
            now=now,
        )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.ASSESSMENT_RECORD,
        at=now,
        child_id=case.child_id,
        subject_id=row.id,
    )
    session.flush()
    return row


def _keep_harm(
    session: Session, actor: Actor, case: Case, child: Child, answer: HarmAnswer, now: datetime
) -> None:
    """The answer stands on the child, where the school reads it. That somebody at the school is meant does not: the
    county has a case of its own from then on, and the school reads "unclear" (domain guide §5.2b, decision 42)."""
    if answer is HarmAnswer.SCHOOL:
        if case.custody is Custody.PROTECTED:
            return
        worries.told_in_a_talk(session, actor=actor, case=case, child=child, now=now)
        if child.harm_answer not in (None, HarmAnswer.NONE.value):
            return  # what is known about the home stays
        answer = HarmAnswer.UNCLEAR
    if case.custody is Custody.PROTECTED and answer is HarmAnswer.NONE and child.harm_answer is not None:
        return  # what the school knows about the home stays: it holds back what would go there by itself
    child.harm_answer = answer.value
    child.harm_answered_by, child.harm_answered_at = actor.account_id, now


def _screen_out(session: Session, actor: Actor, case: Case, assessment: AssessmentIn, now: datetime) -> None:
    """排除: nothing further is needed. What was drafted is withdrawn, the case closes with its reason."""
    open_referrals = referrals.all_open(session, case_id=case.id)
    if any(referral.sent_at is not None for referral in open_referrals):
        raise PolicyViolation("The referral is with the facility. Withdraw it or wait for its answer first.")
    if crises.find_open(session, case_id=case.id) is not None:
        raise PolicyViolation("A crisis is open. It ends by two people standing it down, not by this form.")
    for referral in open_referrals:
        referrals.withdraw(session, actor=actor, referral=referral, reason="screened_out", now=now)
    cases.close(
        session,
        actor=actor,
        case=case,
        reason=ClosingReason.SCREENED_OUT,
        now=now,
    )


def _go_on(
    session: Session,
    actor: Actor,
    case: Case,
    child: Child,
    assessment: AssessmentIn,
    row: Assessment,
    now: datetime,
) -> Concluded:
    tier = assessment.tier
    if tier is None:
        raise InvalidInput("Either set a tier or screen out; not both, not neither.")
    cases.set_tier(session, actor=actor, case=case, tier=tier, reason=assessment.reason, now=now)
    if case.status is CaseStatus.ASSESSING:
        cases.move(session, actor=actor, case=case, to=CaseStatus.ACTIVE, reason=None, now=now)
    draft = _confirm_plan(session, actor, case, assessment.dropped, now)
    if TaskKind.MANDATORY_REPORT in draft.tasks:
        cases.require_report(session, actor=actor, case=case, owner_id=actor.account_id, now=now)
    _follow(session, actor, case, tier, now)
    _refer(session, actor, case, child, draft, tier, assessment, now)
    sent, waits_for = _send(session, actor, case, child, assessment, now)
    return Concluded(row, plan_confirmed=True, sent=sent, waits_for=waits_for)


def _confirm_plan(
    session: Session, actor: Actor, case: Case, dropped: frozenset[str], now: datetime
) -> PlanDraft:
    """Draft again with what the talk has shown, and confirm it: the person is looking at it."""
    facts = current_facts(session, case=case, now=now)
    draft = plans.decide(facts)
    plan = plans.save_draft(
        session, actor=actor, case=case, facts=facts, draft=draft, reason="assessment", now=now
    )
    plans.confirm(session, actor=actor, case=case, plan=plan, now=now, dropped=dropped)
    return draft


def _refer(
    session: Session,
    actor: Actor,
    case: Case,
    child: Child,
    draft: PlanDraft,
    tier: Tier,
    assessment: AssessmentIn,
    now: datetime,
) -> None:
    """A talk may ask for a referral that no sheet has asked for: by the rules, or because the person sends one."""
    referral = referrals.find_open(session, case_id=case.id)
    need = draft.referral
    if need is None and referral is None and assessment.send:
        need = ReferralNeed(Urgency.ROUTINE, why=(f"assumed_tier:{tier.value}",), rules=())
    if need is None or (referral is not None and referral.urgency.rank >= need.urgency.rank):
        return
    referrals.draft_or_update(session, actor=actor, case=case, child=child, need=need, now=now)


_FOLLOW_UP = {
    Tier.WATCH: FollowUpTemplate.WATCH,
    Tier.FOCUS: FollowUpTemplate.FOCUS,
    Tier.CRISIS: FollowUpTemplate.CRISIS,
}


def _follow(session: Session, actor: Actor, case: Case, tier: Tier, now: datetime) -> None:
    if tier in _FOLLOW_UP:
        followups.schedule(
            session, actor=actor, case=case, template=_FOLLOW_UP[tier], day0=local_day(now), now=now
        )


def _send(
    session: Session, actor: Actor, case: Case, child: Child, assessment: AssessmentIn, now: datetime
) -> tuple[bool, str | None]:
    referral = referrals.find_open(session, case_id=case.id)
    if referral is None or referral.sent_at is not None:
        return False, None
    words = {**assessment.words}
    if words:
        referrals.write_words(session, actor=actor, case=case, referral=referral, words=words, now=now)
    else:
        # Somebody has seen the child: the unseen sentence goes, the blanks stay for the pen.
        referrals.make_note(session, referral=referral, case=case, actor=actor, now=now, again=True)
    if not assessment.send:
        return False, None
    if not assessment.emergency and not referrals.consent_stands(session, child=child):
        referrals.ask_guardian(session, actor=actor, case=case, referral=referral, now=now)
        return False, "guardian"
    referrals.send(
        session,
        actor=actor,
        case=case,
        child=child,
        referral=referral,
        emergency=assessment.emergency,
        escort=assessment.escort,
        now=now,
    )
    return True, None
