"""What comes in an order nobody thought of: each of these was found by the machine of ``tests/journeys``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from risk_model import Level
from tests.referral.county import phq9


def yesterday(county):
    return county.clock.today() - timedelta(days=1)


# --- paper that is keyed late ------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "ninth", "level"), [(22, 0, Level.HIGH), (0, 3, Level.CRISIS_ITEM)])
def test_paper_of_yesterday_counts_after_todays_sheet_has_been_keyed(county, pupil, total, ninth, level):
    county.submit(pupil, "phq9", phq9(total=0))

    late = county.submit(pupil, "phq9", phq9(ninth, total=total), on=yesterday(county))

    assert late.result.level is level
    with county.database.begin() as session:
        assert county.case(session, pupil).worst_level is level


def test_the_probability_is_still_that_of_the_newest_sheet(county, pupil):
    newest = county.submit(pupil, "phq9", phq9(total=3))

    late = county.submit(pupil, "phq9", phq9(total=12), on=yesterday(county))

    assert late.result.probability == newest.result.probability
