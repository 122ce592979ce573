"""When: may this be done now? Pure; the facts are passed in. Each has a raising and a yes/no form."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from instruments.asking import Breach, Rule
from risk_model import BASE_RATE_LIMITS
from screening.core.errors import InvalidInput, InvalidTransition, PolicyViolation
from screening.models.campaign import CAMPAIGN_TRANSITIONS, CampaignStatus
from screening.models.consent import ConsentStatus

# Sheets answered longer ago are history: they open nothing by themselves (decision 18).
HISTORY_AFTER = timedelta(days=14)
# Time for guardians to reply between announcing and opening (domain guide §3.1, our default).
REPLY_DAYS = 7
ACCEPTS_SHEETS = frozenset({CampaignStatus.OPEN, CampaignStatus.CLOSING})


def accepts_sheets(status: CampaignStatus) -> bool:
    return status in ACCEPTS_SHEETS


def check_accepts_sheets(status: CampaignStatus) -> None:
    if not accepts_sheets(status):
        raise PolicyViolation("This campaign is not open, so no sheet can be recorded in it.")


def check_instrument_asked(code: str, instruments: list[str]) -> None:
    if code not in instruments:
        raise PolicyViolation("The questionnaire {code} is not part of this campaign.", code=code)


def is_consented(status: ConsentStatus | None) -> bool:
    return status is ConsentStatus.GIVEN


def check_consented(status: ConsentStatus | None) -> None:
    if not is_consented(status):
        raise PolicyViolation("There is no consent to screening for this child, so the sheet is not stored.")


def check_day_of_sheet(administered_on: date, today: date) -> None:
    if administered_on > today:
        raise InvalidInput("The day of the sheet lies in the future.")


def check_informant(informant: str | None, informants: tuple[str, ...]) -> None:
    """Who answered is one of those the questionnaire is made for."""
    if informant is not None and informant not in informants:
        raise InvalidInput(
            "This questionnaire is answered by: {informants}.", informants=", ".join(informants)
        )


def is_history(administered_on: date, today: date) -> bool:
    return today - administered_on > HISTORY_AFTER


def check_campaign_step(from_: CampaignStatus, to: CampaignStatus) -> None:
    if to not in CAMPAIGN_TRANSITIONS[from_]:
        raise InvalidTransition(
            "The campaign is {status}; this step does not lead on from there.", status=from_.value
        )


def check_base_rate_change(rate: float, *, set_by: UUID, approved_by: UUID, campaigns_open: int) -> None:
    """Decision 19: between .03 and .25, two people, never while a campaign of the district is open."""
    check_base_rate(rate, campaigns_open=campaigns_open)
    if set_by == approved_by:
        raise PolicyViolation("The base rate is set by two people.")


def check_base_rate(rate: float, *, campaigns_open: int) -> None:
    """What already a proposal has to keep."""
    check_base_rate_limits(rate)
    if campaigns_open:
        raise PolicyViolation(
            "A campaign is open in this district; the base rate is not changed until it ends."
        )


def check_base_rate_limits(rate: float) -> None:
    """What already a question about it has to keep: no level can be computed outside."""
    low, high = BASE_RATE_LIMITS
    if not low <= rate <= high:
        raise InvalidInput("The base rate lies between {low} and {high}.", low=low, high=high)


# --- what may be asked of whom ------------------------------------------------------------------------------


def refusal_of(breach: Breach) -> PolicyViolation:
    """Which sheet, which grade, what to do."""
    return PolicyViolation(_REFUSALS[breach.rule].message, sheet=breach.instrument.abbr, **breach.said)


def check_asking(breaches: Sequence[Breach]) -> None:
    """A campaign that breaks a rule of one of its sheets is not announced. Raises with the first of them."""
    for breach in breaches:
        raise refusal_of(breach)


def check_safety_signed(lacks_signature: bool) -> None:
    """A secondary school where nobody asks about safety: the lead knows and signs (field guide §3.1)."""
    if lacks_signature:
        raise PolicyViolation(
            "No sheet of this campaign asks about safety. Add one that does, or the school lead signs that this is known."
        )


# Without what they speak of: the sheet, the grade, the day.
_REFUSALS: dict[Rule, PolicyViolation] = {
    Rule.GRADE_LOW: PolicyViolation(
        "{sheet} is asked from grade {limit} on; this campaign asks grade {grade}. Plan it without this sheet, or from grade {limit} on."
    ),
    Rule.GRADE_HIGH: PolicyViolation(
        "{sheet} is asked up to grade {limit}; this campaign asks grade {grade}. Plan it without this sheet, or up to grade {limit}."
    ),
    Rule.AGE_LOW: PolicyViolation(
        "{sheet} is for children of {limit} and older; most of grade {grade} are younger. Plan it without this sheet, or for higher grades."
    ),
    Rule.AGE_HIGH: PolicyViolation(
        "{sheet} is for children of {limit} and younger; most of grade {grade} are older. Plan it without this sheet, or for lower grades."
    ),
    Rule.ITEM_GRADE: PolicyViolation(
        "{sheet}: question {item} is asked from grade {limit} on; this campaign asks grade {grade}. Plan it without this sheet, or from grade {limit} on."
    ),
    Rule.INFORMANT: PolicyViolation(
        "{sheet} is answered by: {informants}. This campaign asks somebody else; plan it anew."
    ),
    Rule.RETEST_GAP: PolicyViolation(
        "{sheet} was answered here on {day}. It can be asked again from {again} on ({days} days at least); open later, or plan it without this sheet or for other grades."
    ),
}
