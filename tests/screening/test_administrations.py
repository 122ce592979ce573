"""Sheets become records: with their result, once, only of consenting children in an open campaign, and sealed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text

from instruments import AnswerSheet, SheetConditions, catalogue
from screening.actions import administrations, campaigns, consents
from screening.actions.administrations import Recorded, SheetIn
from screening.core.audit import AuditEvent, AuditRow
from screening.core.errors import Conflict, DomainError, InvalidInput, NotPermitted, PolicyViolation
from screening.models.administration import Administration, Mode, SheetValidity
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.child import Child, Sex
from screening.models.consent import ConsentStatus, Purpose
from screening.models.import_batch import CriticalSighting
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.results import answers_of
from tests.factories import Pupil, World, answers, spread


@pytest.fixture
def pupil(world) -> Pupil:
    return world.make_child(world.make_campaign("phq9", "gad7", "sdq_s", "sdq_p", "mht"))


@pytest.fixture
def record(world):
    """Record one sheet through the action alone: nothing follows from it here."""

    def one(
        pupil: Pupil,
        code: str = "phq9",
        given: dict[str, object] | None = None,
        *,
        source: str = "keyed:1",
        on: date | None = None,
        who: str = "counsellor",
        informant: str | None = None,
        conditions: SheetConditions | None = None,
    ) -> Recorded:
        instrument, actor = catalogue().get(code), world.actor(who)
        with world.database.begin() as session:
            sheet = SheetIn(
                entry=session.get_one(RosterEntry, pupil.entry_id),
                instrument=instrument,
                sheet=AnswerSheet.parse(instrument, given if given is not None else answers(code)),
                administered_on=on or world.clock.today(),
                mode=Mode.PAPER,
                source=source,
                informant=informant,
                conditions=conditions or SheetConditions(),
            )
            [recorded] = administrations.record_many(
                session, actor=actor, sheets=[sheet], now=world.clock.now()
            )
        return recorded

    return one


def stored(world: World) -> list[tuple[Administration, ScreenResult]]:
    with world.database.begin() as session:
        return list(
            session.execute(
                select(Administration, ScreenResult)
                .join(ScreenResult, ScreenResult.administration_id == Administration.id)
                .order_by(Administration.recorded_at, Administration.instrument)
            )
        )


def test_a_questionnaire_that_asks_for_sex_is_told_whose_sheet_it_is(world, record):
    """Item 4 of the PHQ-15 is not for boys: left blank by a boy it is nothing missing, by a girl it is."""
    campaign = world.make_campaign("phq15")
    girl, boy = world.make_child(campaign), world.make_child(campaign)
    with world.database.begin() as session:
        session.get_one(RosterEntry, boy.entry_id).child.sex = Sex.MALE
    given = {str(n): 1 for n in range(1, 16) if n != 4}
    assert record(boy, "phq15", given, source="a").result.scores["total"]["value"] == 14
    assert record(girl, "phq15", given, source="b").result.scores["total"]["value"] is None


def test_a_questionnaire_that_asks_for_age_is_told_it_as_of_the_day_of_the_sheet(world, record):
    """Below six four items of the PSC-35 are left out and 24 is the cut-off."""
    campaign = world.make_campaign("psc35")
    day = world.clock.today()
    small = world.make_child(campaign, born=date(day.year - 6, day.month, day.day) + timedelta(days=1))
    given = {str(n): 2 if n < 17 else 0 for n in range(1, 36)}
    result = record(small, "psc35", given).result
    assert (result.scores["total"]["value"], result.over_cutoff) == (28, True)
    six = world.make_child(campaign, born=date(day.year - 6, day.month, day.day))
    assert record(six, "psc35", given, source="c").result.scores["total"]["value"] == 32


# --- one sheet ---------------------------------------------------------------------------------------------


def test_a_sheet_is_stored_with_one_result_and_a_row_in_the_trail(world, pupil, record):
    recorded = record(pupil, given=spread("phq9", 9))
    [(sheet, result)] = stored(world)
    assert (recorded.administration.id, recorded.result.id) == (sheet.id, result.id)
    assert (sheet.instrument, sheet.informant, sheet.mode, sheet.validity) == (
        "phq9",
        "self",
        Mode.PAPER,
        SheetValidity.VALID,
    )
    assert sheet.instrument_version == catalogue().get("phq9").version
    assert result.scores["total"]["value"] == 9
    with world.database.look() as session:
        [row] = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.ADMINISTRATION_RECORD))
        assert (row.child_id, row.subject_id, row.account_id) == (
            pupil.id,
            sheet.id,
            world.people["counsellor"],
        )
        assert row.detail == {"instrument": "phq9", "mode": "paper"}


def test_answers_are_sealed_and_come_back_as_they_were_given(world, pupil, record):
    given = {**spread("phq9", 13), "9": None, "10": 2}
    record(pupil, given=given)
    with world.database.begin() as session:
        [sheet] = session.scalars(select(Administration))
        instrument = catalogue().get("phq9")
        assert answers_of(session, sheet).as_mapping(instrument) == {
            str(n): given[str(n)] for n in range(1, 11)
        }
        packed = AnswerSheet.parse(instrument, given).packed()
        assert packed not in sheet.answers_sealed
        scores = session.execute(text("SELECT scores FROM screen_result")).scalar_one()
        assert "answers" not in str(scores)


def test_answers_of_two_children_cannot_be_exchanged(world, pupil, record):
    from screening.core.sealing import SealBroken

    record(pupil)
    with world.database.begin() as session:
        campaign_id = session.scalars(select(Campaign.id)).one()
    other = world.make_child(campaign_id)
    record(other, given=spread("phq9", 20), source="keyed:2")
    with world.database.begin() as session:
        one, two = session.scalars(select(Administration))
        one.answers_sealed, two.answers_sealed = two.answers_sealed, one.answers_sealed
        session.flush()
        with pytest.raises(SealBroken):
            answers_of(session, one)


# --- once --------------------------------------------------------------------------------------------------


def test_the_same_source_again_gives_the_first_answer_again(world, pupil, record):
    first = record(pupil, given=spread("phq9", 3))
    again = record(pupil, given=spread("phq9", 20))
    assert (first.again, again.again) == (False, True)
    assert again.administration.id == first.administration.id
    assert len(stored(world)) == 1


def test_a_second_sheet_of_one_questionnaire_and_day_is_refused(world, pupil, record):
    record(pupil)
    refused = record(pupil, source="keyed:2")
    assert isinstance(refused.refused, Conflict)
    assert (refused.administration, refused.result) == (None, None)
    assert len(stored(world)) == 1


def test_another_day_another_questionnaire_and_another_informant_are_other_sheets(world, pupil, record):
    record(pupil)
    record(pupil, source="2", on=world.clock.today() - timedelta(days=1))
    record(pupil, "gad7", source="3")
    record(pupil, "sdq_p", source="4", informant="parent")
    record(pupil, "sdq_s", source="5")
    assert len(stored(world)) == 5


def test_a_voided_sheet_makes_room_for_the_right_one(world, pupil, record):
    record(pupil, given=spread("phq9", 20))
    with world.database.begin() as session:
        [sheet] = session.scalars(select(Administration))
        sheet.voided_at = world.clock.now()
    again = record(pupil, source="keyed:2", given=spread("phq9", 2))
    assert again.refused is None
    assert again.result.sheets == [str(again.administration.id)], "a void sheet counts for nothing"


def test_a_second_identical_row_in_one_piece_is_refused_and_stops_nothing(world, pupil):
    instrument, actor = catalogue().get("phq9"), world.actor("counsellor")
    with world.database.begin() as session:
        entry = session.get_one(RosterEntry, pupil.entry_id)
        sheets = [
            SheetIn(
                entry=entry,
                instrument=instrument,
                sheet=AnswerSheet.parse(instrument, spread("phq9", total)),
                administered_on=day,
                mode=Mode.WORKBOOK,
                source=f"row {n}",
            )
            for n, (total, day) in enumerate(
                [
                    (1, world.clock.today()),
                    (2, world.clock.today()),
                    (3, world.clock.today() - timedelta(days=1)),
                ]
            )
        ]
        done = administrations.record_many(session, actor=actor, sheets=sheets, now=world.clock.now())
    assert [type(each.refused) for each in done] == [type(None), Conflict, type(None)]
    assert len(stored(world)) == 2


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [ConsentStatus.REFUSED, ConsentStatus.NO_REPLY, ConsentStatus.WITHDRAWN, None]
)
def test_a06_without_consent_no_sheet_is_stored(world, record, status):
    pupil = world.make_child(world.make_campaign("phq9"), consent=False)
    if status is not None:
        answer(world, pupil, status)
    refused = record(pupil).refused
    assert isinstance(refused, PolicyViolation)
    assert "no consent" in str(refused)
    assert stored(world) == []


def answer(world: World, pupil: Pupil, status: ConsentStatus) -> None:
    world.clock.forward(timedelta(seconds=1))
    actor = world.actor("counsellor")
    with world.database.begin() as session:
        consents.record(
            session,
            actor=actor,
            child=session.get_one(Child, pupil.id),
            purpose=Purpose.SCREENING,
            status=status,
            text_version="2026-1",
            channel="paper",
            given_on=world.clock.today(),
            given_by="家长甲",
            relation="母亲",
            now=world.clock.now(),
        )


def test_the_last_answer_of_the_guardian_holds(world, pupil, record):
    answer(world, pupil, ConsentStatus.WITHDRAWN)
    assert record(pupil).refused is not None
    answer(world, pupil, ConsentStatus.GIVEN)
    assert record(pupil).refused is None


def test_a_sheet_of_the_future_is_refused(world, pupil, record):
    refused = record(pupil, on=world.clock.today() + timedelta(days=1)).refused
    assert isinstance(refused, InvalidInput)


def test_a_questionnaire_that_was_not_asked_is_refused(world, pupil, record):
    refused = record(pupil, "phq_a").refused
    assert isinstance(refused, PolicyViolation)
    assert "not part of this campaign" in str(refused)


@pytest.mark.parametrize("status", list(CampaignStatus))
def test_only_an_open_campaign_takes_sheets(world, pupil, record, status):
    with world.database.begin() as session:
        session.scalars(select(Campaign)).one().status = status
    refused = record(pupil).refused
    assert (refused is None) is (status in (CampaignStatus.OPEN, CampaignStatus.CLOSING))


@pytest.mark.parametrize("who", ["principal", "clinician", "county_centre", "class_teacher", "school_lead"])
def test_only_who_may_record_records(world, pupil, record, who):
    with pytest.raises(NotPermitted):
        record(pupil, who=who)


def test_what_is_said_about_a_refused_sheet_names_nobody(world, record):
    pupil = world.make_child(world.make_campaign("phq9"), consent=False, name="欧阳䶮")
    refused = record(pupil, given=spread("phq9", 27)).refused
    assert isinstance(refused, DomainError)
    assert pupil.name not in str(refused)
    assert "27" not in str(refused)


# --- validity ----------------------------------------------------------------------------------------------


def test_an_invalid_mht_is_kept_and_not_scored(world, pupil, record):
    recorded = record(pupil, "mht", {str(n): 1 for n in range(1, 101)})
    assert recorded.administration.validity is SheetValidity.INVALID
    assert recorded.result.status is ResultStatus.NOT_SCORED
    assert recorded.result.probability is None


def test_a_straight_lined_sheet_is_doubtful_and_keeps_its_score(world, pupil, record):
    given = {item.key: 1 for item in catalogue().get("sdq_s").items if item.scored}
    recorded = record(pupil, "sdq_s", given)
    assert recorded.administration.validity is SheetValidity.DOUBTFUL
    assert recorded.result.status is ResultStatus.SCORED


@pytest.mark.parametrize(
    "conditions",
    [SheetConditions(seconds=13), SheetConditions(helped=True), SheetConditions(reading_trouble=True)],
)
def test_how_a_sheet_was_filled_in_makes_it_doubtful(world, pupil, record, conditions):
    assert record(pupil, conditions=conditions).administration.validity is SheetValidity.DOUBTFUL


def test_one_and_a_half_seconds_an_item_are_not_too_fast(world, pupil, record):
    recorded = record(pupil, conditions=SheetConditions(seconds=14))
    assert recorded.administration.validity is SheetValidity.VALID


# --- together with what was there --------------------------------------------------------------------------


def test_sheets_that_were_stored_before_count_with_the_new_one(world, pupil, record):
    first = record(pupil, "gad7", spread("gad7", 10))
    world.clock.forward(timedelta(minutes=1))
    second = record(pupil, "phq9", spread("phq9", 10, i9=0), source="2")
    assert second.result.sheets == [str(first.administration.id), str(second.administration.id)]
    assert second.result.level.value == "high"


def test_a_sheet_of_another_campaign_does_not_count(world, pupil, record):
    record(pupil, "gad7", spread("gad7", 21))
    other = world.make_campaign("phq9")
    with world.database.begin() as session:
        campaigns.put_on_roll(
            session, campaign_id=other, child_ids=[pupil.id], known=set(), now=world.clock.now()
        )
        session.flush()
        entry_id = session.scalars(select(RosterEntry.id).where(RosterEntry.campaign_id == other)).one()
    again = Pupil(pupil.id, pupil.name, pupil.student_no, entry_id)
    recorded = record(again, "phq9", spread("phq9", 2), source="2")
    assert recorded.result.level.value == "none"


def test_two_sheets_of_one_piece_see_each_other(world, pupil):
    actor = world.actor("counsellor")
    with world.database.begin() as session:
        entry = session.get_one(RosterEntry, pupil.entry_id)
        sheets = [
            SheetIn(
                entry=entry,
                instrument=catalogue().get(code),
                sheet=AnswerSheet.parse(catalogue().get(code), spread(code, 10, **given)),
                administered_on=world.clock.today(),
                mode=Mode.WORKBOOK,
                source=code,
            )
            for code, given in (("gad7", {}), ("phq9", {"i9": 0}))
        ]
        done = administrations.record_many(session, actor=actor, sheets=sheets, now=world.clock.now())
    assert [each.result.level.value for each in done] == ["elevated", "high"]


@pytest.mark.parametrize(("days", "history"), [(0, False), (14, False), (15, True), (400, True)])
def test_a42_a_sheet_of_more_than_fourteen_days_ago_is_history(world, pupil, record, days, history):
    day = world.clock.today() - timedelta(days=days)
    assert record(pupil, on=day).result.history is history


def test_a_later_sheet_adopts_what_was_sighted_of_it_and_nothing_else(world, pupil, record):
    with world.database.begin() as session:
        for code, day in (("phq9", 0), ("phq9", 1), ("gad7", 0)):
            session.add(
                CriticalSighting(
                    child_id=pupil.id,
                    instrument=code,
                    layout="standard",
                    answered_on=world.clock.today() - timedelta(days=day),
                    item="9",
                    grade="B",
                    seen_at=world.clock.now(),
                )
            )
    recorded = record(pupil, given=answers("phq9", i9=2))
    assert recorded.sighted
    with world.database.begin() as session:
        adopted = {
            (s.instrument, s.answered_on): s.adopted_by for s in session.scalars(select(CriticalSighting))
        }
    assert [by for by in adopted.values() if by] == [recorded.administration.id]
    assert adopted["phq9", world.clock.today()] == recorded.administration.id
