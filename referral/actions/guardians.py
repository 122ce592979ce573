"""The guardian's answer about one referral: the consent as its own record, and the step it allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from referral.actions import referrals
from referral.models.case import Case
from referral.models.referral import Referral
from referral.terms import RefusalReason
from screening.actions import consents
from screening.core.actor import Actor
from screening.core.errors import InvalidInput
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose


@dataclass(frozen=True, slots=True)
class GuardianAnswer:
    """Who answered, how, to which version of the text. ``refusal``: why not, when the guardian did not agree.

    ``present``: who else sat there, at the second talk.
    """

    agreed: bool
    given_by: str
    relation: str
    channel: str
    text_version: str
    given_on: date
    refusal: RefusalReason | None = None
    present: str | None = None


def answered(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    child: Child,
    referral: Referral,
    answer: GuardianAnswer,
    now: datetime,
) -> None:
    """Record ``share_facility`` and move the referral: agreed → ready, refused → a second talk is asked for."""
    if answer.agreed and answer.refusal is not None:
        raise InvalidInput("Who agrees gives no reason for refusing.")
    consents.record(
        session,
        actor=actor,
        child=child,
        purpose=Purpose.SHARE_FACILITY,
        status=ConsentStatus.GIVEN if answer.agreed else ConsentStatus.REFUSED,
        text_version=answer.text_version,
        channel=answer.channel,
        given_on=answer.given_on,
        given_by=answer.given_by,
        relation=answer.relation,
        now=now,
    )
    referrals.guardian_answered(
        session,
        actor=actor,
        case=case,
        referral=referral,
        agreed=answer.agreed,
        refusal=answer.refusal,
        present=answer.present,
        now=now,
    )
