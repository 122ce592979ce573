"""People of each post do their work in a browser: in both languages, on an old laptop and on a phone."""

from __future__ import annotations

from functools import partial

import pytest

from tests.browser import journeys

JOURNEYS = (
    journeys.key_sheets,
    journeys.send_workbook,
    journeys.see_a_child,
    journeys.answer_referrals,
    journeys.see_at_the_clinic,
)
# These have one combination of their own in `make test`: the one in which people do them.
ONCE = {
    journeys.hold_a_call: ("zh", "desk"),
    journeys.answer_by_typed_code: ("zh", "phone"),
    journeys.raise_a_worry: ("en", "phone"),
    journeys.ask_about_safety: ("en", "desk"),
}
COMBINATIONS = (("zh", "desk"), ("en", "phone"), ("zh", "phone"), ("en", "desk"))


def _cases():
    """Each journey in two combinations that share neither language nor screen; the other two in the long tests."""
    for number, journey in enumerate((*JOURNEYS, *ONCE)):
        for place, (language, size) in enumerate(COMBINATIONS):
            now = (language, size) == ONCE[journey] if journey in ONCE else place // 2 == number % 2
            yield pytest.param(
                journey,
                language,
                size,
                id=f"{journey.__name__}-{language}-{size}",
                marks=() if now else pytest.mark.slow,
            )


@pytest.fixture
def signed_in(site, window):
    """``signed_in("counsellor")``: a window of this person, at the time that it is in the county; ``None`` is a stranger."""

    def open_(who, **how):
        person = window(now=site.clock.now(), **how)
        if who is not None:
            person.sign_in(who)
        return person

    return open_


@pytest.mark.parametrize(("journey", "language", "size"), list(_cases()))
def test_a_day_of_work(site, signed_in, journey, language, size):
    journey(site, partial(signed_in, language=language, size=size))
