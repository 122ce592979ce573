"""The county of a test, on its database and at its clock."""

from __future__ import annotations

import pytest

from tests.referral.county import County, furnished


@pytest.fixture
def county(database, clock) -> County:
    """A school with its people, a clinic with a stepwise channel, and an open campaign. Wednesday, ten o'clock."""
    return furnished(database, clock)


@pytest.fixture
def pupil(county):
    """One child with consent to screening and to giving data to a facility."""
    [made] = county.enrol()
    return made
