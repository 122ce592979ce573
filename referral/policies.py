"""When: may it be sent, declined, left to go by itself now? Pure; facts are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from referral.terms import HarmAnswer, ReferralStatus, ReleaseMode, Urgency
from screening.core.errors import PolicyViolation

BEFORE_SENDING = frozenset(
    {
        ReferralStatus.DRAFT,
        ReferralStatus.AWAITING_GUARDIAN,
        ReferralStatus.READY,
        ReferralStatus.GUARDIAN_REFUSED,
    }
)


def check_sendable(
    status: ReferralStatus, *, urgency: Urgency, facility_known: bool, consent_given: bool, emergency: bool
) -> None:
    """A referral leaves with the guardian's consent, or, in an emergency to life, without asking for it."""
    if status not in BEFORE_SENDING:
        raise PolicyViolation("This referral has already left.")
    if not facility_known:
        raise PolicyViolation("The referral has no facility yet. Choose one first.")
    if emergency and urgency is not Urgency.EMERGENCY:
        raise PolicyViolation("Without consent only an emergency to life is sent.")
    if emergency:
        return
    if status is ReferralStatus.GUARDIAN_REFUSED:
        raise PolicyViolation("The guardian has refused. Talk again, or record a changed answer first.")
    if not consent_given:
        raise PolicyViolation(
            "There is no consent to give data to a facility. Ask the guardian and record the answer."
        )


def can_send(
    status: ReferralStatus, *, urgency: Urgency, facility_known: bool, consent_given: bool, emergency: bool
) -> bool:
    """The yes/no form of :func:`check_sendable`, for the button."""
    try:
        check_sendable(
            status,
            urgency=urgency,
            facility_known=facility_known,
            consent_given=consent_given,
            emergency=emergency,
        )
    except PolicyViolation:
        return False
    return True


# What may leave before a person has seen the child is agreed with somebody who will see it (decision 2).
UNSEEN = frozenset({ReleaseMode.AFTER_WINDOW, ReleaseMode.AT_ONCE})


def check_release_agreed(release: ReleaseMode, agreed: frozenset[ReleaseMode]) -> None:
    """A district chooses such a mode only where an agreement of this mode is on record and valid."""
    if release in UNSEEN and release not in agreed:
        raise PolicyViolation(
            "This way of release needs an agreement with a facility on record: who, until when, how many a week."
        )


def check_hold(*, until: date, latest: date, today: date, reason: str, holds: int, is_lead: bool) -> None:
    """Decision 40: at most five working days, with a reason; a second hold only by the lead."""
    if not reason.strip():
        raise PolicyViolation("Say why the referral is held.")
    if not today < until <= latest:
        raise PolicyViolation("A hold ends within five working days.")
    if holds and not is_lead:
        raise PolicyViolation("A second hold is decided by the lead.")


def is_held(held_until: date | None, today: date) -> bool:
    """Whether a hold is running."""
    return held_until is not None and today <= held_until


def check_answerable(urgency: Urgency, *, declining: bool, better_place: str) -> None:
    """An emergency is accepted, or accepted and passed on; whoever declines names a better place or says none."""
    if declining and urgency is Urgency.EMERGENCY:
        raise PolicyViolation(
            "An emergency cannot be declined. Accept it, or accept and pass on with escort and place."
        )
    if declining and not better_place.strip():
        raise PolicyViolation("Name a better place, or say that there is none.")


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What decides whether a referral may leave by itself (decision 2)."""

    agreement: ReleaseMode | None
    agreement_until: date | None
    today: date
    sent_this_week: int
    weekly_limit: int
    consent_given: bool
    doubtful: bool
    held: bool
    harm_answer: HarmAnswer | None
    facility_known: bool
    emergency: bool
    guardian_refused: bool = False


def missing_for_triage(facts: ReleaseFacts, *, guardian_told: bool, quota: int) -> tuple[str, ...]:
    """Why a child whom nobody saw in time is not sent for triage by itself (decision 2, step 3)."""
    checks = (
        ("guardian_not_told", not guardian_told),
        ("guardian_refused", facts.guardian_refused),
        ("no_consent", not facts.consent_given),
        ("doubtful_sheet", facts.doubtful),
        ("hold", facts.held),
        ("harm_block", facts.harm_answer in (HarmAnswer.HOME, HarmAnswer.SCHOOL, HarmAnswer.OTHER)),
        ("no_facility", not facts.facility_known),
        ("weekly_limit", facts.sent_this_week >= quota),
    )
    return tuple(code for code, holds in checks if holds)


def skips_the_county(facts: ReleaseFacts) -> bool:
    """``after_window`` leaves out the county's turn, where district and facility have agreed on it (decision 2)."""
    agreed = facts.agreement is ReleaseMode.AFTER_WINDOW
    return agreed and facts.agreement_until is not None and facts.agreement_until >= facts.today


def missing_for_at_once(facts: ReleaseFacts) -> tuple[str, ...]:
    """Why it does not leave by itself at once; empty when it may. Stable codes, shown in words on the case."""
    checks = (
        ("no_agreement", facts.agreement is not ReleaseMode.AT_ONCE),
        ("agreement_ended", facts.agreement_until is None or facts.agreement_until < facts.today),
        ("weekly_limit", facts.sent_this_week >= facts.weekly_limit),
        ("no_consent", not facts.consent_given),
        ("guardian_refused", facts.guardian_refused),
        ("doubtful_sheet", facts.doubtful),
        ("hold", facts.held),
        ("harm_block", facts.harm_answer in (HarmAnswer.HOME, HarmAnswer.SCHOOL, HarmAnswer.OTHER)),
        ("no_facility", not facts.facility_known),
        # An emergency note leaves by one press of the adult who takes the child; the telephone comes first.
        ("emergency", facts.emergency),
    )
    return tuple(code for code, holds in checks if holds)
