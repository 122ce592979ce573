"""When something may be done: truth tables over every combination of facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest

from referral.policies import (
    BEFORE_SENDING,
    ReleaseFacts,
    can_send,
    check_answerable,
    check_hold,
    check_sendable,
    is_held,
    missing_for_at_once,
    missing_for_triage,
)
from referral.terms import HarmAnswer, ReferralStatus, ReleaseMode, Urgency
from screening.core.errors import PolicyViolation

TODAY = date(2026, 10, 14)
YES_NO = (True, False)


def may_send(status, urgency, facility_known, consent_given, emergency) -> bool:
    """The rule in one line: before it has left, to a known place, and with consent or in an emergency to life."""
    asked = consent_given and status is not ReferralStatus.GUARDIAN_REFUSED
    allowed = urgency is Urgency.EMERGENCY if emergency else asked
    return status in BEFORE_SENDING and facility_known and allowed


def test_sending_over_every_combination():
    seen = set()
    for status, urgency, known, given, emergency in product(ReferralStatus, Urgency, YES_NO, YES_NO, YES_NO):
        facts = {
            "urgency": urgency,
            "facility_known": known,
            "consent_given": given,
            "emergency": emergency,
        }
        expected = may_send(status, urgency, known, given, emergency)
        assert can_send(status, **facts) is expected, (status, facts)
        seen.add(expected)
        if expected:
            check_sendable(status, **facts)
        else:
            with pytest.raises(PolicyViolation):
                check_sendable(status, **facts)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": ReferralStatus.SENT}, "already left"),
        ({"facility_known": False}, "no facility"),
        ({"emergency": True}, "only an emergency"),
        ({"status": ReferralStatus.GUARDIAN_REFUSED}, "has refused"),
        ({"consent_given": False}, "no consent"),
    ],
)
def test_each_refusal_says_what_is_missing(changes, said):
    facts = {
        "status": ReferralStatus.DRAFT,
        "urgency": Urgency.URGENT,
        "facility_known": True,
        "consent_given": True,
        "emergency": False,
        **changes,
    }
    with pytest.raises(PolicyViolation, match=said):
        check_sendable(facts.pop("status"), **facts)


@pytest.mark.parametrize("urgency", list(Urgency))
@pytest.mark.parametrize("declining", YES_NO)
@pytest.mark.parametrize("better_place", ["市第七医院", "无", "", "  "])
def test_answering(urgency, declining, better_place):
    refused = declining and (urgency is Urgency.EMERGENCY or not better_place.strip())
    if not refused:
        check_answerable(urgency, declining=declining, better_place=better_place)
        return
    with pytest.raises(PolicyViolation):
        check_answerable(urgency, declining=declining, better_place=better_place)


# --- holding -----------------------------------------------------------------------------------------------

LATEST = TODAY + timedelta(days=7)


@pytest.mark.parametrize(
    ("until", "reason", "holds", "is_lead", "allowed"),
    [
        (TODAY + timedelta(days=1), "家长在外", 0, False, True),
        (LATEST, "家长在外", 0, False, True),
        (LATEST + timedelta(days=1), "家长在外", 0, True, False),
        (TODAY, "家长在外", 0, False, False),
        (LATEST, " ", 0, True, False),
        (LATEST, "家长在外", 1, False, False),
        (LATEST, "家长在外", 1, True, True),
    ],
)
def test_a_hold_is_short_has_a_reason_and_is_repeated_by_the_lead_only(
    until, reason, holds, is_lead, allowed
):
    def hold():
        check_hold(until=until, latest=LATEST, today=TODAY, reason=reason, holds=holds, is_lead=is_lead)

    if allowed:
        hold()
        return
    with pytest.raises(PolicyViolation):
        hold()


def test_a_hold_runs_through_its_last_day():
    assert is_held(TODAY, TODAY)
    assert not is_held(TODAY - timedelta(days=1), TODAY)
    assert not is_held(None, TODAY)


# --- leaving by itself -------------------------------------------------------------------------------------

FREE = ReleaseFacts(
    agreement=ReleaseMode.AT_ONCE,
    agreement_until=TODAY,
    today=TODAY,
    sent_this_week=4,
    weekly_limit=5,
    consent_given=True,
    doubtful=False,
    held=False,
    harm_answer=None,
    facility_known=True,
    emergency=False,
)
# Each single fact that keeps a referral from leaving at once, with its code.
BLOCKS = {
    "no_agreement": {"agreement": ReleaseMode.STEPWISE},
    "agreement_ended": {"agreement_until": TODAY - timedelta(days=1)},
    "weekly_limit": {"sent_this_week": 5},
    "no_consent": {"consent_given": False},
    "doubtful_sheet": {"doubtful": True},
    "hold": {"held": True},
    "harm_block": {"harm_answer": HarmAnswer.HOME},
    "no_facility": {"facility_known": False},
    "emergency": {"emergency": True},
}


def test_with_everything_in_place_it_leaves():
    assert missing_for_at_once(FREE) == ()


@pytest.mark.parametrize("code", BLOCKS)
def test_each_single_fact_keeps_it_and_says_so(code):
    assert missing_for_at_once(replace(FREE, **BLOCKS[code])) == (code,)


def test_every_combination_of_blocks_is_named_in_full():
    for chosen in product(YES_NO, repeat=len(BLOCKS)):
        codes = [code for code, on in zip(BLOCKS, chosen, strict=True) if on]
        changes = {name: value for code in codes for name, value in BLOCKS[code].items()}
        assert missing_for_at_once(replace(FREE, **changes)) == tuple(codes)


@pytest.mark.parametrize("mode", [None, *ReleaseMode])
def test_only_an_agreement_to_release_at_once_counts(mode):
    assert bool(missing_for_at_once(replace(FREE, agreement=mode))) is (mode is not ReleaseMode.AT_ONCE)


@pytest.mark.parametrize("answer", [None, *HarmAnswer])
def test_whoever_may_harm_the_child_blocks_and_an_open_question_does_not(answer):
    blocks = answer in (HarmAnswer.HOME, HarmAnswer.SCHOOL, HarmAnswer.OTHER)
    facts = replace(FREE, harm_answer=answer)
    assert ("harm_block" in missing_for_at_once(facts)) is blocks
    assert ("harm_block" in missing_for_triage(facts, guardian_told=True, quota=5)) is blocks


def test_triage_needs_a_person_to_have_told_the_guardian_and_a_place_this_week():
    assert missing_for_triage(FREE, guardian_told=True, quota=5) == ()
    assert missing_for_triage(FREE, guardian_told=False, quota=5) == ("guardian_not_told",)
    assert missing_for_triage(FREE, guardian_told=True, quota=4) == ("weekly_limit",)
    assert missing_for_triage(FREE, guardian_told=True, quota=0) == ("weekly_limit",)
