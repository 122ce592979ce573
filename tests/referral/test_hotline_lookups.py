"""Is this child known? Three answers, the same body and work for each, twenty an hour; links that leave no mark."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import event, select

from referral.actions import lookups
from referral.models.case import Case
from referral.models.hotline import HotlineCall, HotlineLink, KnownChildLookup
from referral.queries import hotline as queries
from referral.terms import CallLevel, CallStatus, HandoverTo, KnownAnswer, TaskKind
from screening.actions import organisations
from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow
from screening.core.errors import InvalidInput, NotFound, PolicyViolation
from screening.models.child import AccessGrant, Child, Enrolment, Guardian
from screening.models.organisation import OrganisationKind
from tests.referral.switchboard import Switchboard

ONE, NONE, COUNTY = KnownAnswer.ONE_MATCH, KnownAnswer.NO_MATCH, KnownAnswer.ASK_COUNTY
DUTY = "13800000001"  # of the school; the county has only its office number


@pytest.fixture
def world(database, clock):
    return Switchboard(database, clock)


def rows_of(world, *models):
    """Every stored value of some tables."""
    with world.database.look() as session:
        return [
            tuple(getattr(row, column.key) for column in model.__mapper__.columns)
            for model in models
            for row in session.scalars(select(model).order_by(model.id))
        ]


# --- A20 ---------------------------------------------------------------------------------------------------


def test_a20_a_peer_calls_about_a_friend_and_the_link_can_be_undone(world):
    pupil, _ = world.enrol(2)
    file = (Child, Guardian, Enrolment, AccessGrant, Case)
    before = rows_of(world, *file)
    call_id = world.ring(CallLevel.C, caller="peer", about_caller=False, child_name=pupil.name)

    known = world.ask(call_id, name=pupil.name, school="白石一中")
    assert known == lookups.KnownChild(ONE, DUTY, "白石县", known.lookup_id)
    assert "第一中学" not in repr(known)
    world.link(call_id, pupil)
    assert world.status(call_id) is CallStatus.LINKED
    assert events(world, pupil) == [False]

    world.clock.forward(timedelta(minutes=5))
    world.do(lookups.unlink, call_id, reason="年级对不上")
    assert world.status(call_id) is CallStatus.UNLINKED
    assert rows_of(world, *file) == before
    assert events(world, pupil) == [False, True]
    trail = [AuditEvent.CHILD_LOOKUP, AuditEvent.CALL_LINK, AuditEvent.CALL_UNLINK]
    with world.database.look() as session:
        found = session.scalars(
            select(AuditRow.event)
            .where(AuditRow.child_id == pupil.id, AuditRow.event.in_(trail))
            .order_by(AuditRow.at)
        ).all()
    assert set(found) == set(trail)


def events(world, pupil, by="counsellor"):
    with world.database.look() as session:
        child = session.get_one(Child, pupil.id)
        return [each.undone for each in queries.hotline_events(session, actor=world.actors[by], child=child)]


def test_a_link_undone_after_a_handover_is_looked_at_by_the_owner_of_the_case(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.B)
    link_id = world.link(call_id, pupil)
    world.hand_over(call_id, HandoverTo.SCHOOL_DUTY)
    world.do(lookups.unlink, call_id, reason="同名")
    task = world.line(TaskKind.CALL_UNLINKED, link_id)
    assert world.who(task.owner_id) == "counsellor"
    with world.database.look() as session:
        case = world.case(session, pupil)
        assert case is not None, "a machine closes no case"
        assert queries.handovers_of_case(session, actor=world.actors["counsellor"], case=case) == []


def test_after_undoing_another_child_can_be_linked(world):
    first, second = world.enrol(2)
    call_id = world.ring(CallLevel.C)
    world.link(call_id, first)
    with pytest.raises(PolicyViolation):
        world.link(call_id, second)
    world.do(lookups.unlink, call_id, reason="不是她")
    world.link(call_id, second)
    with world.database.look() as session:
        live = session.scalars(select(HotlineLink.child_id).where(HotlineLink.undone_at.is_(None))).all()
    assert live == [second.id]
    with pytest.raises(InvalidInput):
        world.do(lookups.unlink, call_id, reason=" ")


# --- what is answered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ({"school": "白石县第一中学"}, ONE),
        ({"school": "白石一中"}, ONE),
        ({"school": " 第一中学 "}, ONE),
        ({"birth_date": date(2012, 3, 1)}, ONE),
        ({"guardian_phone": "138-0000-0000"}, ONE),
        ({"school": "第一中学", "birth_date": date(2012, 3, 1)}, ONE),
        ({"school": "实验中学"}, NONE),
        ({"birth_date": date(2011, 3, 1)}, NONE),
        ({"guardian_phone": "13800000009"}, NONE),
        ({"school": "第一中学", "birth_date": date(2011, 3, 1)}, COUNTY),  # perhaps a namesake
        ({}, COUNTY),  # a name alone is no child
        ({"school": "中学"}, COUNTY),  # could be two schools
        ({"school": "没有这所学校"}, COUNTY),
    ],
    ids=str,
)
def test_a_match_needs_two_things_that_agree_and_nothing_against_it(world, more, answer):
    (pupil,) = world.enrol()
    assert world.ask(world.ring(), name=pupil.name, **more).answer is answer


@pytest.mark.parametrize(
    ("more", "answer"),
    [({"school": "白石一中"}, NONE), ({"birth_date": date(2012, 3, 1)}, NONE), ({}, COUNTY)],
)
def test_a_name_of_nobody_gets_the_same_answers_as_one_that_disagrees(world, more, answer):
    world.enrol()
    assert world.ask(world.ring(), name="查无此人", **more).answer is answer


def test_the_name_must_be_the_whole_name(world):
    (pupil,) = world.enrol()
    call_id = world.ring()
    assert world.ask(call_id, name=pupil.name[0], school="白石一中").answer is NONE
    assert world.ask(call_id, name=f" {pupil.name} ", school="白石一中").answer is ONE
    with pytest.raises(InvalidInput):
        world.ask(call_id, name=" ", school="白石一中")


def test_two_namesakes_are_the_countys_to_tell_apart(world):
    first, second = world.enrol(2)
    with world.database.begin() as session:
        session.get_one(Child, second.id).name = first.name
    known = world.ask(world.ring(), name=first.name, school="白石一中")
    assert known.answer is COUNTY
    with world.database.look() as session:
        row = session.get_one(KnownChildLookup, known.lookup_id)
        assert (row.child_id, row.attributes) == (None, [])


def test_harm_at_the_school_answers_with_the_countys_phone(world):
    (pupil,) = world.enrol()
    known = world.ask(world.ring(harm_by="school"), name=pupil.name, school="白石一中")
    with world.database.look() as session:
        office = session.get_one(type(world.places["county"]), world.places["county"].id).phone
    assert (known.answer, known.duty_phone) == (ONE, office)


def test_children_of_another_area_are_not_known_here(world):
    with world.database.begin() as session:
        for code, kind, parent in (
            ("city2", OrganisationKind.CITY, None),
            ("county2", OrganisationKind.COUNTY, "city2"),
            ("hotline3", OrganisationKind.HOTLINE, "city2"),
        ):
            world.places[code] = organisations.add(
                session, actor=Actor.system(), kind=kind, code=code, name=f"外地{code}",
                parent=world.places.get(parent or ""), phone=None, now=world.clock.now(),
            )  # fmt: skip
            session.flush()
        from screening.core.actor import Role

        world.hire(session, "far", "远方", Role.HOTLINE_OPERATOR, "hotline3")
    (pupil,) = world.enrol()
    with world.database.begin() as session:
        from referral.actions import hotline

        call = hotline.start_call(
            session, actor=world.actors["far"], hotline_id=world.places["hotline3"].id, now=world.clock.now()
        )
        for more in ({"birth_date": date(2012, 3, 1)}, {"guardian_phone": "13800000000"}):
            known = lookups.known_child(
                session, actor=world.actors["far"], call=call, now=world.clock.now(),
                asked=queries.Asked(name=pupil.name, **more),
            )  # fmt: skip
            assert known.answer is NONE
        with pytest.raises(NotFound):
            lookups.known_child(
                session, actor=world.actors["far"], call=call, now=world.clock.now(),
                asked=queries.Asked(name=pupil.name, county_id=world.places["county"].id),
            )  # fmt: skip


# --- the same work and the same body -----------------------------------------------------------------------


def test_every_answer_takes_the_same_statements_and_has_the_same_shape(world):
    pupil, twin, other = world.enrol(3)
    with world.database.begin() as session:
        session.get_one(Child, twin.id).name = other.name
    call_id = world.ring()
    work, shapes = {}, {}
    for answer, name in ((ONE, pupil.name), (NONE, "查无此人"), (COUNTY, other.name)):
        statements = []

        def note(connection, cursor, statement, *rest, statements=statements):
            statements.append(statement.split("WHERE")[0])

        event.listen(world.database.engine, "before_cursor_execute", note)
        try:
            known = world.ask(call_id, name=name, school="白石一中", county_id=world.places["county"].id)
        finally:
            event.remove(world.database.engine, "before_cursor_execute", note)
        assert known.answer is answer
        work[answer] = statements
        shapes[answer] = (bool(known.duty_phone), known.county, bool(known.lookup_id))
    assert work[ONE] == work[NONE] == work[COUNTY]
    assert set(shapes.values()) == {(True, "白石县", True)}


# --- how often ---------------------------------------------------------------------------------------------


def test_twenty_an_hour_and_operator(world):
    (pupil,) = world.enrol()
    call_id, other = world.ring(), world.ring()
    for turn in range(20):
        world.ask((call_id, other)[turn % 2], name=pupil.name, school="白石一中")
        world.clock.forward(timedelta(minutes=1))
    for each in (call_id, other, world.ring()):
        with pytest.raises(PolicyViolation) as refused:
            world.ask(each, name=pupil.name, school="白石一中")
        assert refused.value.params == {"limit": 20}
    world.ask(call_id, by="colleague", name=pupil.name, school="白石一中")
    world.clock.forward(timedelta(minutes=40))  # the first one is an hour old
    world.ask(call_id, name=pupil.name, school="白石一中")
    with pytest.raises(PolicyViolation):
        world.ask(call_id, name=pupil.name, school="白石一中")


def test_ten_misses_within_an_hour_call_a_supervisor_once(world):
    call_id = world.ring()
    operator = world.actors["operator"].account_id
    for turn in range(12):
        assert (world.line(TaskKind.LOOKUP_ALARM, operator) is not None) is (turn >= 10)
        world.ask(call_id, name=f"无名{turn}", school="白石一中")
        world.clock.forward(timedelta(minutes=1))
    assert world.who(world.line(TaskKind.LOOKUP_ALARM, operator).owner_id) == "supervisor"


def test_misses_spread_over_hours_are_no_alarm(world):
    call_id = world.ring()
    for turn in range(12):
        world.ask(call_id, name=f"无名{turn}", school="白石一中")
        world.clock.forward(timedelta(minutes=7))
    assert world.line(TaskKind.LOOKUP_ALARM, world.actors["operator"].account_id) is None


def test_each_question_is_in_the_trail_without_its_words(world):
    (pupil,) = world.enrol()
    call_id = world.ring()
    world.ask(call_id, name=pupil.name, school="白石一中")
    world.ask(call_id, name="查无此人", school="白石一中")
    with world.database.look() as session:
        rows = session.scalars(
            select(AuditRow).where(AuditRow.event == AuditEvent.CHILD_LOOKUP).order_by(AuditRow.at)
        ).all()
        assert sorted((row.child_id, row.detail["answer"]) for row in rows if row.child_id) == [
            (pupil.id, "one_match")
        ]
        assert [row.detail for row in rows if row.child_id is None] == [{"answer": "no_match"}]
        assert {world.who(row.account_id) for row in rows} == {"operator"}


# --- what a link is made from ------------------------------------------------------------------------------


def test_a_link_is_made_only_from_a_fresh_match_of_this_very_call(world):
    (pupil,) = world.enrol()
    call_id, other = world.ring(CallLevel.C), world.ring(CallLevel.C)
    match = world.ask(call_id, name=pupil.name, school="白石一中").lookup_id
    thin = world.ask(call_id, name=pupil.name).lookup_id
    with pytest.raises(NotFound):
        world.do(lookups.link, other, lookup_id=match)
    with pytest.raises(PolicyViolation):
        world.do(lookups.link, call_id, lookup_id=thin)
    world.clock.forward(timedelta(hours=25))
    with pytest.raises(PolicyViolation):
        world.do(lookups.link, call_id, lookup_id=match)
    with world.database.look() as session:
        assert session.scalars(select(HotlineLink)).all() == []


def test_what_agreed_is_kept_with_the_link(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.C)
    known = world.ask(call_id, name=pupil.name, school="白石一中", guardian_phone="13800000000")
    world.do(lookups.link, call_id, lookup_id=known.lookup_id)
    with world.database.look() as session:
        link = queries.live_link(session, call=session.get_one(HotlineCall, call_id))
        assert link.attributes == ["name", "school", "guardian_phone"]


# --- places ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("白石县第一中学", ["白石县第一中学"]),
        ("白石一中", ["白石县第一中学"]),
        ("实验中学", ["白石县实验中学"]),
        ("白石县", ["白石县", "白石县人民医院", "白石县第一中学", "白石县实验中学"]),
        ("", []),
        ("火星", []),
    ],
)
def test_free_text_leads_to_a_place_its_county_and_the_duty_phone(world, text, names):
    with world.database.begin() as session:
        found = queries.find_places(session, actor=world.actors["operator"], text=text, now=world.clock.now())
    assert [place.name for place in found] == names
    assert {place.county for place in found} <= {"白石县"}
    assert [p.duty_phone for p in found if p.name == "白石县第一中学"] == [DUTY] * ("白石县第一中学" in names)


def test_places_outside_the_area_of_the_hotline_are_not_found(world):
    with world.database.begin() as session:
        outside = organisations.add(
            session, actor=Actor.system(), kind=OrganisationKind.CITY, code="far", name="远方市",
            parent=None, phone=None, now=world.clock.now(),
        )  # fmt: skip
        session.flush()
        actor, now = world.actors["operator"], world.clock.now()
        assert queries.find_places(session, actor=actor, text="远方市", now=now) == []
        with pytest.raises(NotFound):
            queries.get_place(session, actor=actor, place_id=outside.id)
        assert (
            queries.get_place(session, actor=actor, place_id=world.places["school"].id).name
            == "白石县第一中学"
        )
