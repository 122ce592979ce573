"""What moves when nobody acts: the county's turn, triage within its quota, a silent facility (decision 2, §§3.7, 5.3).

The clock stands at Wednesday 14 October 2026, ten in the morning; T09 for ``high`` ends Monday the 19th, 17:30.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from referral.actions import answers, clocks, referrals, reroutes, tasks
from referral.models.referral import ChannelAgreement, Facility, Referral
from referral.models.task import Task
from referral.terms import DeclineReason, NoShowReason, ReferralKind, ReferralStatus, TaskKind
from screening.actions import organisations
from screening.core.actor import Actor, Role
from screening.core.clock import LOCAL
from screening.core.errors import DomainError, PolicyViolation
from screening.models.child import Child
from screening.models.organisation import OrganisationKind
from tests.referral.county import phq9

K = TaskKind
S = ReferralStatus


def at(day: int, hour: int = 18, minute: int = 0, month: int = 10) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=LOCAL)


def run(county, moment: datetime) -> int:
    county.clock.set(moment)
    with county.database.begin() as session:
        return clocks.run(session, now=county.clock.now())


def only_referral(county, session, pupil) -> Referral:
    [referral] = county.referrals(session, pupil)
    return referral


def sent(county, pupil) -> None:
    """A child who was seen, and whose referral was sent by press."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)


def press(county, pupil, what, by: str, **more) -> None:
    """One press of one person on the child's newest open referral."""
    with county.database.begin() as session:
        case = county.case(session, pupil)
        referral = referrals.find_open(session, case_id=case.id)
        what(session, actor=county.actors[by], case=case, referral=referral, now=county.clock.now(), **more)


class TestACHildNobodyHasSeen:
    def test_the_county_centre_gets_it_when_t09_has_passed_and_not_before(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=11))

        assert run(county, at(19, 17, 29)) == 0
        assert run(county, at(19, 17, 31)) == 1
        assert run(county, at(19, 17, 32)) == 0

        with county.database.begin() as session:
            case, open_tasks = county.case(session, pupil), county.tasks(session, pupil)
            assert (county.who(case.owner_id), county.who(case.backup_id)) == ("centre", "counsellor")
            assert K.SECOND_ASSESSMENT not in open_tasks
            task = open_tasks[K.COUNTY_ASSESSMENT]
            assert county.who(task.owner_id) == "centre"
            assert task.due_at == at(21, 17, 30)
            # A34: nobody has told the guardian, so nothing has left.
            assert only_referral(county, session, pupil).status is S.DRAFT

    def test_the_county_centre_sees_the_child_and_does_not_tick_it_off(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=11))
        run(county, at(20))
        with (
            county.database.begin() as session,
            pytest.raises(PolicyViolation, match="not by ticking it off"),
        ):
            tasks.finish(
                session,
                actor=county.actors["centre"],
                task=county.tasks(session, pupil)[K.COUNTY_ASSESSMENT],
                decision="done",
                reason="已决定",
                now=county.clock.now(),
            )

    def test_a_child_who_was_seen_stays_at_the_school(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=11))
        county.assess(pupil)

        assert run(county, at(30)) == 0

    def test_an_elevated_child_without_a_case_is_never_passed_on(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=10))

        assert run(county, at(30, month=11)) == 0

    def test_without_a_told_guardian_it_stays_with_a_named_person_and_somebody_has_to_tell(
        self, county, pupil
    ):
        county.submit(pupil, "phq9", phq9(total=11))
        self.quota(county, 5)
        run(county, at(19))

        assert run(county, at(21)) == 0

        with county.database.begin() as session:
            open_tasks = county.tasks(session, pupil)
            assert K.COUNTY_ASSESSMENT in open_tasks
            assert county.who(open_tasks[K.GUARDIAN_CONTACT].owner_id) == "centre"

    def test_five_places_a_week_five_leave_the_rest_keep_their_person(self, county):
        pupils = county.enrol(8)
        for pupil in pupils:
            county.submit(pupil, "phq9", phq9(total=11))
            with county.database.begin() as session:
                referral = only_referral(county, session, pupil)
                referrals.tell_guardian(
                    session, actor=county.actors["counsellor"], referral=referral, now=county.clock.now()
                )
        self.quota(county, 5)
        assert run(county, at(19)) == 8

        assert run(county, at(21)) == 5
        assert run(county, at(21, 19)) == 0

        with county.database.begin() as session:
            all_sent = session.scalars(select(Referral).where(Referral.sent_at.is_not(None))).all()
            assert {r.kind for r in all_sent} == {ReferralKind.TRIAGE_REQUEST}
            waiting = session.scalars(
                select(Task).where(Task.kind == K.COUNTY_ASSESSMENT, Task.done_at.is_(None))
            ).all()
            assert len(waiting) == 8
            assert all(county.who(task.owner_id) == "centre" for task in waiting)

        run(county, at(29))
        with county.database.begin() as session:
            assert len(session.scalars(select(Referral).where(Referral.sent_at.is_not(None))).all()) == 8

    def test_a_hold_keeps_it_and_ends_by_itself(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=11))
        self.quota(county, 5)
        run(county, at(19))
        county.clock.set(at(20, 9))
        with county.database.begin() as session:
            referral = only_referral(county, session, pupil)
            referrals.tell_guardian(
                session, actor=county.actors["centre"], referral=referral, now=county.clock.now()
            )
        press(county, pupil, referrals.hold, "centre", until=at(27).date(), reason="祖母周末到校面谈")

        assert run(county, at(22)) == 0
        assert run(county, at(28)) == 1

    def quota(self, county, places: int) -> None:
        with county.database.begin() as session:
            session.scalars(select(Facility)).one().triage_per_week = places


class TestHolds:
    @pytest.mark.parametrize(
        ("until", "reason"), [(14, "x"), (22, "x"), (20, "  ")], ids=["today", "too long", "no reason"]
    )
    def test_a_hold_needs_an_end_within_five_working_days_and_a_reason(self, county, pupil, until, reason):
        county.submit(pupil, "phq9", phq9(total=11))

        with pytest.raises(PolicyViolation):
            press(county, pupil, referrals.hold, "counsellor", until=at(until).date(), reason=reason)

    def test_the_second_hold_is_the_leads(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=11))
        press(county, pupil, referrals.hold, "counsellor", until=at(16).date(), reason="x")

        with pytest.raises(PolicyViolation):
            press(county, pupil, referrals.hold, "counsellor", until=at(19).date(), reason="x")
        press(county, pupil, referrals.hold, "lead", until=at(19).date(), reason="x")


class TestASilentFacility:
    def test_it_expires_at_its_limit_and_three_people_are_told(self, county, pupil):
        sent(county, pupil)
        with county.database.begin() as session:
            due = only_referral(county, session, pupil).answer_due_at

        assert run(county, due - timedelta(minutes=1)) == 0
        assert run(county, due) == 1

        with county.database.begin() as session:
            assert only_referral(county, session, pupil).status is S.EXPIRED_NO_ANSWER
            task = county.tasks(session, pupil)[K.REFERRAL_REROUTE]
            assert county.who(task.owner_id) == "counsellor"
            assert K.REFERRAL_ANSWER not in county.tasks(session, pupil)

    def test_a_make_up_saturday_counts_as_a_working_day(self, county):
        """A11: the Saturday before the National Day break of 2026 is worked, the break is not."""
        county.clock.set(at(18, 10, month=9))
        county.campaign_id = county.open_campaign(title="九月")
        [pupil] = county.enrol()
        sent(county, pupil)
        with county.database.begin() as session:
            referral = only_referral(county, session, pupil)
            days = [d for d in range(19, 31) if clocks.china().is_working_day(at(d, month=9).date())]
            assert 20 in days  # a Sunday that is worked
            assert referral.answer_due_at == at(days[2], 17, 30, month=9)

    def test_a_question_stops_the_clock_for_two_working_days_at_most(self, county, pupil):
        sent(county, pupil)
        with county.database.begin() as session:
            due = only_referral(county, session, pupil).answer_due_at
        press(county, pupil, answers.ask_more, "intake", question="近期用药?")

        assert run(county, at(16, 17, 29)) == 0
        assert run(county, at(16, 17, 30)) == 1

        with county.database.begin() as session:
            referral = only_referral(county, session, pupil)
            assert referral.status is S.RECEIVED
            # 7½ + 10 + 10 hours of work, given back in hours of work
            assert (due, referral.answer_due_at) == (at(19, 17, 30), at(22, 15))

    def test_an_answer_gives_the_facility_back_the_time_it_waited(self, county, pupil):
        sent(county, pupil)
        with county.database.begin() as session:
            due = only_referral(county, session, pupil).answer_due_at
        press(county, pupil, answers.ask_more, "intake", question="近期用药?")
        county.clock.forward(timedelta(hours=3))
        press(county, pupil, answers.tell_more, "counsellor", answer="没有用药")

        with county.database.begin() as session:
            referral = only_referral(county, session, pupil)
            assert (due, referral.answer_due_at) == (at(19, 17, 30), at(20, 10, 30))
            assert K.REFERRAL_ANSWER in county.tasks(session, pupil)

    def test_a_late_answer_still_counts(self, county, pupil):
        sent(county, pupil)
        run(county, at(30))
        press(county, pupil, answers.accept, "intake", contact="白芷")

        with county.database.begin() as session:
            assert only_referral(county, session, pupil).status is S.ACCEPTED


class TestAnotherFacility:
    def second_clinic(self, county) -> None:
        with county.database.begin() as session:
            place = organisations.add(
                session,
                actor=Actor.system(),
                kind=OrganisationKind.FACILITY,
                code="clinic2",
                name="青江市第七医院",
                parent=county.places["city"],
                phone="0571-1",
                now=county.clock.now(),
            )
            county.places["clinic2"] = place
            session.flush()
            county.hire(session, "intake2", "温言", Role.CLINIC_INTAKE, "clinic2")
            session.add(
                Facility(
                    organisation_id=place.id,
                    department="儿少科",
                    age_min=6,
                    age_max=18,
                    weekly_slots=3,
                )
            )
            today = county.clock.today()
            session.add(
                ChannelAgreement(
                    district_id=county.places["county"].id,
                    facility_id=place.id,
                    release="stepwise",
                    weekly_limit=5,
                    agreed_by="x",
                    valid_from=today,
                    valid_to=today + timedelta(days=200),
                    recorded_at=county.clock.now(),
                )
            )

    def reroute(self, county, pupil, *, in_parallel: bool) -> None:
        with county.database.begin() as session:
            case = county.case(session, pupil)
            reroutes.reroute(
                session,
                actor=county.actors["counsellor"],
                case=case,
                child=session.get_one(Child, pupil.id),
                referral=referrals.find_open(session, case_id=case.id),
                facility_id=None,
                in_parallel=in_parallel,
                now=county.clock.now(),
            )

    def send(self, county, pupil) -> None:
        with county.database.begin() as session:
            case = county.case(session, pupil)
            referrals.send(
                session,
                actor=county.actors["counsellor"],
                case=case,
                child=session.get_one(Child, pupil.id),
                referral=referrals.find_open(session, case_id=case.id),
                emergency=False,
                escort=None,
                now=county.clock.now(),
            )

    def test_after_a_refusal_the_next_one_is_asked_and_nothing_is_typed_again(self, county, pupil):
        sent(county, pupil)
        self.second_clinic(county)
        press(
            county, pupil, answers.decline, "intake", reason=DeclineReason.FULL, better_place="青江市第七医院"
        )
        self.reroute(county, pupil, in_parallel=False)

        with county.database.begin() as session:
            first, second = county.referrals(session, pupil)
            assert (first.status, second.status) == (S.REROUTED, S.DRAFT)
            assert second.former_id == first.id
            assert second.words == first.words
            assert second.facility_id == county.places["clinic2"].id
            assert K.REFERRAL_REROUTE not in county.tasks(session, pupil)

    def test_two_are_asked_the_first_to_accept_has_the_child(self, county, pupil):
        """A30."""
        sent(county, pupil)
        self.second_clinic(county)
        run(county, at(19))
        self.reroute(county, pupil, in_parallel=True)
        self.send(county, pupil)
        with county.database.begin() as session:
            case = county.case(session, pupil)
            second = referrals.find_open(session, case_id=case.id)
            answers.accept(
                session,
                actor=county.actors["intake2"],
                case=case,
                referral=second,
                contact=None,
                now=county.clock.now(),
            )

        with county.database.begin() as session:
            first, second = county.referrals(session, pupil)
            assert (first.status, second.status) == (S.WITHDRAWN, S.ACCEPTED)
            assert first.history[-1].reason == "another_accepted"

    def test_while_the_second_is_asked_the_silent_one_is_not_passed_on_to_a_third(self, county, pupil):
        sent(county, pupil)
        self.second_clinic(county)
        run(county, at(19))
        self.reroute(county, pupil, in_parallel=True)
        with county.database.begin() as session:
            first, _ = county.referrals(session, pupil)
            with pytest.raises(PolicyViolation, match="Another facility has been asked since"):
                reroutes.reroute(
                    session,
                    actor=county.actors["counsellor"],
                    case=county.case(session, pupil),
                    child=session.get_one(Child, pupil.id),
                    referral=first,
                    facility_id=None,
                    in_parallel=False,
                    now=county.clock.now(),
                )

    def test_when_the_second_is_taken_back_somebody_decides_about_the_silent_one_again(self, county, pupil):
        sent(county, pupil)
        self.second_clinic(county)
        run(county, at(19))
        self.reroute(county, pupil, in_parallel=True)
        with county.database.begin() as session:
            first, second = county.referrals(session, pupil)
            assert K.REFERRAL_REROUTE not in county.tasks(session, pupil)
            referrals.withdraw(
                session,
                actor=county.actors["counsellor"],
                referral=second,
                reason="guardian",
                now=county.clock.now(),
            )
        with county.database.begin() as session:
            assert county.tasks(session, pupil)[K.REFERRAL_REROUTE].subject_id == first.id

    def test_nobody_is_asked_twice(self, county, pupil):
        sent(county, pupil)
        press(county, pupil, answers.decline, "intake", reason=DeclineReason.FULL, better_place="无")
        self.reroute(county, pupil, in_parallel=False)

        with county.database.begin() as session:
            _, second = county.referrals(session, pupil)
            assert second.facility_id is None  # a service gap, with an owner
            assert K.SERVICE_GAP in county.tasks(session, pupil)


class TestNoShows:
    def test_the_second_time_a_conference_sits(self, county, pupil):
        """A14."""
        sent(county, pupil)
        press(county, pupil, answers.accept, "intake", contact=None)
        for number, day in ((1, 16), (2, 21)):
            press(county, pupil, answers.schedule, "intake", at=at(day, 9), place="二楼")
            county.clock.set(at(day, 18))
            press(county, pupil, answers.no_show, "intake", reason=NoShowReason.UNKNOWN)
            with county.database.begin() as session:
                open_tasks = county.tasks(session, pupil)
                assert K.NO_SHOW_CONTACT in open_tasks
                assert (K.CASE_CONFERENCE in open_tasks) == (number == 2)

    def test_only_the_facility_says_who_came(self, county, pupil):
        sent(county, pupil)
        with pytest.raises(DomainError):
            press(county, pupil, answers.accept, "counsellor", contact=None)
