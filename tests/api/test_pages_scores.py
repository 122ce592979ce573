"""All scales of a sheet on the case: three outcomes in words, the norm beside, the change since, three informants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from api.web.presenters import scores as present
from instruments import AnswerSheet, catalogue, score
from instruments.change import Spread
from referral.models.case import Case
from screening.models.administration import Administration, Mode, SheetValidity
from screening.models.child import Child, Sex
from screening.models.result import ResultStatus, ScreenResult
from tests.api.web import Browser, words
from tests.architecture.test_fixed_words import bad_words
from tests.factories import PASSWORD, answers, spread

CHILD = Child(birth_date=date(2012, 5, 4), sex=Sex.FEMALE)
DAY = date(2026, 10, 14)


def result(code, given, on=DAY, **more):
    """A stored result as the engine makes it, without a database."""
    instrument = catalogue().get(code)
    found = score(instrument, AnswerSheet.parse(instrument, given))
    sheet = Administration(
        instrument=code,
        layout=instrument.default_layout,
        informant=more.get("informant", instrument.informants[0]),
        administered_on=on,
        recorded_at=datetime(2026, 10, 14, tzinfo=UTC),
        mode=Mode.PAPER,
        validity=SheetValidity(found.validity.value),
    )
    stored = {
        name: {
            "value": value.value, "status": value.status, "missing": list(value.missing),
            "band": value.band.id if value.band else None, "band_set": value.band.set if value.band else None,
        }
        for name, value in found.values.items()
    }  # fmt: skip
    return ScreenResult(
        id=uuid4(),
        administration=sheet,
        scores=stored,
        flags=[flag.value for flag in found.flags],
        status=ResultStatus.SCORED if found.scored else ResultStatus.NOT_SCORED,
    )


def view(*results, locale="en", spreads=None):
    [found] = present.views(results, CHILD, spreads or {}, locale)
    return found


def scale(found, name):
    return next(each for each in found.scales if each.name == name)


def test_three_outcomes_are_said_in_words():
    whole = scale(view(result("phq9", spread("phq9", 12))), "total")
    assert (whole.outcome, whole.remark) == ("12", "")
    assert whole.band == "step 3 of 5 (10–14), set usual"
    given = answers("sdq_s") | {"3": None, "5": None, "7": None, "12": None, "18": None, "22": None}
    sdq = view(result("sdq_s", given))
    assert scale(sdq, "emotional symptoms").remark == "carried up, 1 missing"
    conduct = scale(sdq, "conduct problems")
    assert (conduct.outcome, conduct.band) == ("not scorable", "")
    assert conduct.remark == "without an answer: 5, 7, 12, 18, 22"
    assert scale(sdq, "total difficulties").outcome == "not scorable"
    assert "too much is missing" in sdq.invalid
    one_blank = view(result("sdq_s", answers("sdq_s") | {"3": None}))
    assert one_blank.invalid == ""
    assert scale(one_blank, "emotional symptoms").band


def test_an_invalid_sheet_is_not_interpreted():
    mht = catalogue().get("mht")
    [rule] = mht.validity
    given = answers("mht") | dict.fromkeys(mht.score(rule.score).items, 1)
    found = view(result("mht", given))
    assert found.scales == ()
    assert "not interpreted" in found.invalid


def test_a_norm_stands_beside_the_score_with_sample_year_and_source():
    found = view(result("sdq_s", answers("sdq_s") | {"3": 2, "8": 2, "13": 2}))
    [norm] = scale(found, "emotional symptoms").norms
    assert norm.startswith(
        "Henan students 7-15, n = 1362, year not read: the line drawn there: above 4; this one is above"
    )
    assert "河南常模" in norm
    assert any("14 Chinese cities" in each for each in view(result("dsrsc", answers("dsrsc"))).samples)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(20, 5, "better by more"), (5, 20, "worse by more"), (10, 12, "within the questionnaire's own error")],
)
def test_change_is_judged_by_the_error_of_the_sheet_and_says_by_what(before, after, said):
    newest = result("phq9", spread("phq9", after), on=DAY)
    earlier = result("phq9", spread("phq9", before), on=DAY - timedelta(days=40))
    found = view(newest, earlier, spreads={newest.id: Spread(5.0, 200, "")})
    first, basis = found.change
    assert said in first
    assert f"{after - before:+d}" in first
    assert basis.startswith("Judged by alpha 0.876")
    assert "SD 5.0 of 200 sheets" in basis
    assert found.gap == ""


def test_without_a_spread_or_a_study_nothing_is_judged():
    newest, earlier = (
        result("phq9", spread("phq9", 5)),
        result("phq9", spread("phq9", 9), on=DAY - timedelta(days=10)),
    )
    found = view(newest, earlier)
    assert "fewer than 30 sheets" in found.change[0]
    assert "-4" in found.change[0]
    assert found.gap.startswith(
        "Only 10 days after the sheet before; at least 14 are sensible. The questions look back 14 days"
    )
    gad = view(
        result("gad7", spread("gad7", 5)), result("gad7", spread("gad7", 9), on=DAY - timedelta(days=30))
    )
    assert "no study of how reliable" in gad.change[0]


def test_no_page_says_a_disorder():
    for locale in ("zh", "en"):
        for instrument in catalogue():
            given = {item.key: max(item.values) for item in instrument.items}
            found = view(result(instrument.code, given), locale=locale)
            said = [found.name, found.invalid, *found.samples]
            said += [
                text for each in found.scales for text in (each.name, each.outcome, each.remark, each.band)
            ]
            assert not bad_words("".join(said)), instrument.code


def test_the_case_shows_them_and_three_informants_side_by_side(app, world, database):
    campaign = world.make_campaign("phq9", "sdq_s", "sdq_p", "sdq_t")
    pupil = world.make_child(campaign)
    world.submit(pupil, "phq9", spread("phq9", 21))
    restless = {"2": 2, "10": 2, "15": 2, "21": 0, "25": 0, "ebddiff": 2, "distres": 3, "impclas": 3}
    for code in ("sdq_s", "sdq_p", "sdq_t"):
        calm = answers(code) | {"21": 2, "25": 2, "7": 2, "11": 2, "14": 2, "ebddiff": 0}
        told = calm if code == "sdq_s" else calm | restless
        world.submit(pupil, code, {key: told[key] for key in told if key in catalogue().get(code).item_keys})
    with database.look() as session:
        case_id = session.scalars(select(Case.id)).one()
    browser = Browser(app, "en")
    browser.sign_in("counsellor", PASSWORD)
    first = words(browser.open(f"/cases/{case_id}").text)
    assert "Before the scores are shown" in first
    assert "Side by side" not in first
    for slip in ({}, {"concern": "9"}):  # the first word stays: a slip must not be it
        assert browser.send(f"/cases/{case_id}/concern", seen=f"/cases/{case_id}", **slip).status_code >= 400
    assert browser.send(f"/cases/{case_id}/concern", seen=f"/cases/{case_id}", concern="2").status_code == 303
    page = browser.open(f"/cases/{case_id}")
    seen = words(page.text)
    assert page.status_code == 200
    assert "Side by side: child, carer, teacher" in seen
    assert "seen differently" in seen
    assert "probably worth a closer look" in seen
    assert "All scales of PHQ-9" in seen
    assert "step 5 of 5 (20–27), set usual" in seen
    world.clock.forward(timedelta(days=5))
    world.submit(pupil, "phq9", spread("phq9", 8))
    browser.sign_in("counsellor", PASSWORD)
    again = words(browser.open(f"/cases/{case_id}").text)
    assert "Only 5 days after the sheet before" in again
    assert "-13. Whether that is more than chance is not judged" in again
