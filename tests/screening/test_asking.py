"""A campaign that breaks age, grade, informant or gap is not announced; one without a safety question is signed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from screening.actions import campaigns
from screening.core.audit import AuditEvent, AuditRow
from screening.core.errors import InvalidInput, NotPermitted, PolicyViolation
from screening.models.campaign import Campaign, CampaignStatus
from screening.models.organisation import Organisation


@pytest.fixture
def draft(world):
    def draft(*codes, opens_in=-1, **more):
        today = world.clock.today()
        actor = world.actor("counsellor")
        with world.database.begin() as session:
            return campaigns.plan(
                session,
                actor=actor,
                organisation=session.get_one(Organisation, world.places["school"]),
                title="秋季筛查",
                instruments=list(codes),
                consent_version="2026-autumn",
                opens_on=today + timedelta(days=opens_in),
                closes_on=today + timedelta(days=opens_in + 20),
                now=world.clock.now(),
                **more,
            ).id

    return draft


@pytest.fixture
def move(world):
    def move(campaign_id, to=CampaignStatus.ANNOUNCED, who="school_lead"):
        actor = world.actor(who)
        with world.database.begin() as session:
            campaigns.move(
                session,
                actor=actor,
                campaign=session.get_one(Campaign, campaign_id),
                to=to,
                reason=None,
                now=world.clock.now(),
            )

    return move


def refused(move, campaign_id, **more):
    with pytest.raises(PolicyViolation) as refusal:
        move(campaign_id, **more)
    return str(refusal.value)


def test_grades_that_were_said_are_held_against_each_sheet(draft, move):
    said = refused(move, draft("phq9", "scl90", grades=[9, 10]))
    assert said.startswith("SCL-90 is asked from grade 10 on; this campaign asks grade 9.")
    move(draft("phq9", "scl90", grades=[10, 11]))


def test_children_of_the_school_speak_where_nobody_said_a_grade(world, draft, move):
    world.make_child()  # grade 8, 14 years old
    assert "SCL-90 is asked from grade 10 on; this campaign asks grade 8." in refused(
        move, draft("scl90", "phq9")
    )
    move(draft("phq9", "gad7"))


def test_most_of_a_grade_are_too_young(world, draft, move):
    for _ in range(2):
        world.make_child(born=world.clock.today() - timedelta(days=11 * 366))
    world.make_child()
    assert "PHQ-9 is for children of 12 and older; most of grade 8 are younger." in refused(
        move, draft("phq9")
    )


def test_who_answers_is_checked_when_it_is_planned(draft):
    with pytest.raises(InvalidInput, match="answered by: parent, self"):
        draft("psc17", informants={"psc17": "teacher"})
    with pytest.raises(PolicyViolation, match="not part of this campaign"):
        draft("phq9", informants={"psc17": "parent"})
    with pytest.raises(InvalidInput, match="Grades are numbers"):
        draft("phq9", grades=[13])


def test_a_sheet_answered_lately_in_another_campaign_waits_for_its_gap(world, draft, move):
    first = world.make_campaign("phq9")
    pupil = world.make_child(first)
    world.submit(pupil, "phq9", on=world.clock.today())
    too_soon, later, other = draft("phq9", opens_in=5), draft("phq9", opens_in=14), draft("phq_a", opens_in=5)
    assert "It can be asked again from" in refused(move, too_soon)
    move(later)
    move(other)


def test_the_lead_signs_where_nobody_asks_about_safety(world, draft, move):
    world.make_child()
    campaign_id = draft("gad7")
    assert "asks about safety" in refused(move, campaign_id)

    def sign(who, reason="心理老师逐一当面询问"):
        actor = world.actor(who)
        with world.database.begin() as session:
            campaigns.sign_without_safety(
                session,
                actor=actor,
                campaign=session.get_one(Campaign, campaign_id),
                reason=reason,
                now=world.clock.now(),
            )

    with pytest.raises(NotPermitted):
        sign("counsellor")
    with pytest.raises(InvalidInput):
        sign("school_lead", " ")
    sign("school_lead")
    sign("school_lead")
    move(campaign_id)
    move(campaign_id, CampaignStatus.OPEN, "counsellor")
    with world.database.look() as session:
        assert session.get_one(Campaign, campaign_id).without_safety_by == world.people["school_lead"]
        rows = session.scalars(
            select(AuditRow).where(
                AuditRow.event == AuditEvent.CAMPAIGN_SAVE, AuditRow.subject_id == campaign_id
            )
        ).all()
        assert len(rows) == 4  # planned, signed once, announced, opened
    with pytest.raises(PolicyViolation):
        sign("school_lead")


def test_what_became_known_after_announcing_is_asked_again_at_opening(world, draft, move):
    campaign_id = draft("gad7")
    move(campaign_id)  # an empty school: nobody knows its grades
    world.make_child(campaign_id)
    assert "asks about safety" in refused(move, campaign_id, to=CampaignStatus.OPEN, who="counsellor")
