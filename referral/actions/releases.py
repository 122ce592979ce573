"""How a referral leaves: at once where district and facility have agreed so, else with a person's press (decision 2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import referrals
from referral.models.case import Case
from referral.models.referral import ChannelAgreement, Referral
from referral.policies import ReleaseFacts, is_held, missing_for_at_once
from referral.queries.signals import Signal
from referral.terms import HarmAnswer, ReferralStatus, ReleaseMode, Urgency
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.db import once
from screening.models.child import Child


def release(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    child: Child,
    referral: Referral,
    signal: Signal,
    now: datetime,
) -> tuple[str, ...]:
    """Let the referral leave by itself if it may. Returns why it does not: the person's press is awaited."""
    if referral.sent_at is not None:
        return ()
    agreement = live_agreement(session, facility_id=referral.facility_id, now=now)
    if agreement is None or agreement.release != ReleaseMode.AT_ONCE.value:
        return ("no_agreement",)  # then nothing else decides
    missing = missing_for_at_once(facts_of(session, child, referral, signal, now))
    if not missing and not referrals.note_is_fit(session, referral=referral, case=case, now=now):
        # A guardian without a telephone number, say: the sheet is stored all the same, a person completes it.
        missing = ("note_incomplete",)
    if not missing:
        referrals.leave_by_itself(
            session, actor=actor, case=case, child=child, referral=referral, why="at_once", now=now
        )
    return missing


def facts_of(
    session: Session, child: Child, referral: Referral, signal: Signal, now: datetime
) -> ReleaseFacts:
    agreement = live_agreement(session, facility_id=referral.facility_id, now=now)
    week = now - timedelta(days=7)
    return ReleaseFacts(
        agreement=ReleaseMode(agreement.release) if agreement else None,
        agreement_until=agreement.valid_to if agreement else None,
        today=local_day(now),
        sent_this_week=referrals.count_sent(session, facility_id=referral.facility_id, since=week)
        if referral.facility_id
        else 0,
        weekly_limit=agreement.weekly_limit if agreement else 0,
        consent_given=referrals.consent_stands(session, child=child),
        doubtful=signal.doubtful,
        held=is_held(referral.held_until, local_day(now)),
        harm_answer=HarmAnswer(child.harm_answer) if child.harm_answer else None,
        facility_known=referral.facility_id is not None,
        emergency=referral.urgency is Urgency.EMERGENCY,
        guardian_refused=referral.status is ReferralStatus.GUARDIAN_REFUSED,
    )


def live_agreement(session: Session, *, facility_id: UUID | None, now: datetime) -> ChannelAgreement | None:
    """The agreement with a facility that is valid today, the newest if several."""
    today = local_day(now)

    def read() -> ChannelAgreement | None:
        return session.scalars(
            select(ChannelAgreement)
            .where(
                ChannelAgreement.facility_id == facility_id,
                ChannelAgreement.valid_from <= today,
                ChannelAgreement.valid_to >= today,
            )
            .order_by(ChannelAgreement.recorded_at.desc())
            .limit(1)
        ).one_or_none()

    return once(session, ("agreement", facility_id, today), read)
