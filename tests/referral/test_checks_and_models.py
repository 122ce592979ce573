"""From a finding to a label, from labels to a model two people put in force, and back."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import numpy as np
import pytest
from sqlalchemy import select, update

from api import worker
from referral import watching
from referral.actions import checks
from referral.learning import learn, shift, training_rows
from referral.models.labels import CheckDraw, RandomCheck
from referral.models.referral import Referral, ReturnNote
from referral.models.task import Task
from referral.queries import labels as queries
from referral.queries.capacity import plan_week
from referral.queries.labels import Finding as Found
from referral.queries.labels import get_check, list_checks
from referral.terms import Attendance, Finding, Outcome, RiskNow, TaskKind
from referral.watching import alarms_of
from risk_model import Level, day_one
from risk_model.served import served
from screening.actions import models
from screening.core.actor import Actor, Role
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, NotFound, NotPermitted, PolicyViolation
from screening.models.child import AccessGrant
from screening.models.model import ModelStatus, ModelVersion
from screening.models.result import ScreenResult
from screening.queries.models import in_force, model_of, rules_of, serving
from tests.referral.county import County, furnished, phq9
from tests.referral.learnt import store
from tests.risk_model.worlds import label_rows as simulated_rows
from tests.risk_model.worlds import scored, verify

MILD = {"item9": 0, "total": 4}


@pytest.fixture
def county(database, clock) -> County:
    made = furnished(database, clock)
    with database.begin() as session:
        made.hire(session, "officer2", "程明远", Role.EDU_OFFICER, "county", "not-a-hash")
    return made


# --- two people, and back ----------------------------------------------------------------------------------


def test_two_people_put_a_version_in_force_and_one_goes_back(county, database):
    now, actors = county.clock.now(), county.actors
    with database.begin() as session:
        version = store(county, session)
        models.put_forward(session, actor=actors["officer"], version=version, now=now)
        with pytest.raises(PolicyViolation, match="second person"):
            models.approve(session, actor=actors["officer"], version=version, seen_warnings=True, now=now)
        with pytest.raises(NotPermitted):
            models.approve(session, actor=actors["counsellor"], version=version, seen_warnings=True, now=now)
        models.approve(session, actor=actors["centre"], version=version, seen_warnings=False, now=now)
        name = version.name
    [pupil] = county.enrol()
    county.submit(pupil, "phq9", phq9(total=12))
    with database.begin() as session:
        result = session.scalars(select(ScreenResult)).one()
        assert result.model_version == name
        assert result.low < result.probability < result.high
        place = session.merge(county.places["county"], load=False)
        with pytest.raises(InvalidInput, match="why"):
            models.roll_back(session, actor=actors["centre"], county=place, reason=" ", now=now)
        assert (
            models.roll_back(session, actor=actors["centre"], county=place, reason="too bold", now=now)
            is None
        )
        with pytest.raises(PolicyViolation, match="nothing to go back"):
            models.roll_back(session, actor=actors["centre"], county=place, reason="again", now=now)
        assert serving(session, organisation_id=place.id, today=local_day(now)).model == served(day_one())


def test_the_version_before_comes_back_and_a_big_step_is_read_before_it_is_signed(county, database):
    now, actors = county.clock.now(), county.actors
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        first, second = (
            store(county, session),
            store(county, session, second=("levels_move",), intercept=-0.9),
        )
        for version in (first, second):
            models.put_forward(session, actor=actors["officer"], version=version, now=now)
        models.approve(session, actor=actors["officer2"], version=first, seen_warnings=False, now=now)
        with pytest.raises(InvalidInput, match="big step"):
            models.approve(session, actor=actors["officer2"], version=second, seen_warnings=False, now=now)
        models.approve(session, actor=actors["officer2"], version=second, seen_warnings=True, now=now)
        assert (first.status, second.status) == (ModelStatus.ENDED, ModelStatus.IN_FORCE)
        back = models.roll_back(session, actor=actors["officer"], county=place, reason="too timid", now=now)
        assert back is first
        assert in_force(session, place.id) is first


def test_who_comes_late_undoes_nothing(county, database):
    """Another has signed, or gone back, since this page was opened: what it holds is read again first."""
    now, actors = county.clock.now(), county.actors
    with database.begin() as session:
        version_id = store(county, session).id

    def stale(session):
        return session.get_one(ModelVersion, version_id)

    with database.begin() as session:
        models.put_forward(session, actor=actors["officer"], version=stale(session), now=now)
    with database.begin() as session:
        version = stale(session)
        session.execute(
            update(ModelVersion)
            .values(status=ModelStatus.IN_FORCE, approved_by=actors["centre"].account_id, approved_at=now)
            .execution_options(synchronize_session=False)
        )
        with pytest.raises(PolicyViolation):
            models.refuse(session, actor=actors["officer2"], version=version, reason="no", now=now)
        assert version.status is ModelStatus.IN_FORCE
    with database.begin() as session, pytest.MonkeyPatch.context() as patch:
        place = session.merge(county.places["county"], load=False)
        patch.setattr(models, "in_force", lambda *_: stale(session))
        version = stale(session)
        session.execute(
            update(ModelVersion)
            .values(status=ModelStatus.ENDED, ended_at=now, ended_why="before")
            .execution_options(synchronize_session=False)
        )
        with pytest.raises(PolicyViolation, match="just done"):
            models.roll_back(session, actor=actors["officer"], county=place, reason="again", now=now)
        assert version.ended_why == "before"


def test_learning_twice_from_the_same_findings_is_once(county, database):
    now, officer = county.clock.now(), county.actors["officer"]
    with database.begin() as session:
        first = store(county, session)
        assert store(county, session) is first
        models.refuse(session, actor=officer, version=first, reason="later", now=now)
        again = store(county, session)
        assert again is not first
        assert again.name != first.name


def test_what_a_rule_has_stopped_nobody_puts_forward(county, database):
    now, actors = county.clock.now(), county.actors
    with database.begin() as session:
        version = store(county, session, stopped=("worse",))
        assert version.status is ModelStatus.STOPPED
        with pytest.raises(PolicyViolation, match="no rule has stopped"):
            models.put_forward(session, actor=actors["officer"], version=version, now=now)


def test_tampered_or_expired_numbers_do_not_serve_and_a_person_is_told_once(county, database):
    now, actors = county.clock.now(), county.actors
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        version = store(county, session)
        models.put_forward(session, actor=actors["officer"], version=version, now=now)
        models.approve(session, actor=actors["centre"], version=version, seen_warnings=False, now=now)
        later = local_day(now) + timedelta(days=366)
        assert model_of(version, later) == (served(day_one()), "expired")
        version.artefact = version.artefact.replace(b"0.9", b"0.1")
        session.flush()
    [pupil] = county.enrol()
    county.submit(pupil, "phq9", phq9(total=21))
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        result = session.scalars(select(ScreenResult)).one()
        assert result.model_version == day_one().version
        assert result.level is Level.HIGH
        system = Actor.system()
        assert watching.look(session, actor=system, county=place, now=now) == ["fault:tampered"]
        assert watching.look(session, actor=system, county=place, now=now) == []
        task = session.scalars(select(Task).where(Task.kind == TaskKind.MODEL_ALARM)).one()
        assert task.reason == "fault:tampered"
        assert task.child_id is None


def test_without_any_model_the_rules_decide_alone(county, monkeypatch, database):
    monkeypatch.setattr("screening.queries.models.model_of", lambda version, today: (None, "day_one"))
    [pupil] = county.enrol()
    county.submit(pupil, "phq9", phq9(total=21))
    with database.begin() as session:
        result = session.scalars(select(ScreenResult)).one()
        assert (result.level, result.probability, result.model_version) == (Level.HIGH, None, "none")


def test_limits_are_signed_by_two_and_stand_still_while_a_campaign_is_open(county, database):
    now, actors = county.clock.now(), county.actors
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        with pytest.raises(PolicyViolation, match="campaign is open"):
            models.propose_limits(
                session,
                actor=actors["officer"],
                county=place,
                elevated=0.10,
                high=0.20,
                checks_per_week=0,
                now=now,
            )
        with pytest.raises(InvalidInput, match="limits rise"):
            models.propose_limits(
                session,
                actor=actors["officer"],
                county=place,
                elevated=0.30,
                high=0.20,
                checks_per_week=0,
                now=now,
            )
        setting = _limits(county, session, place, 5)
        assert setting.approved_by == actors["centre"].account_id
        assert rules_of(session, place.id).high == 0.25


def _limits(county: County, session, place, checks_per_week: int):
    now, actors = county.clock.now(), county.actors
    proposed = models.propose_limits(
        session,
        actor=actors["officer"],
        county=place,
        elevated=0.15,
        high=0.25,
        checks_per_week=checks_per_week,
        now=now,
    )
    with pytest.raises(PolicyViolation, match="second person"):
        models.approve_limits(
            session, actor=actors["officer"], county=place, version=proposed.version, now=now
        )
    return models.approve_limits(
        session, actor=actors["centre"], county=place, version=proposed.version, now=now
    )


# --- the lot -----------------------------------------------------------------------------------------------


def test_a_week_draws_one_child_whom_nobody_referred_and_the_check_is_blind(county, database):
    pupils = county.enrol(4)
    for pupil in pupils[:3]:
        county.submit(pupil, "phq9", phq9(**MILD))
    county.submit(pupils[3], "phq9", phq9(total=21))  # has a case: is not drawn
    now, system = county.clock.now(), Actor.system()
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        assert checks.draw(session, actor=system, county=place, now=now) is None  # nobody asked for it
        _limits(county, session, place, 5)
        drawn = checks.draw(session, actor=system, county=place, now=now, seed=1)
        assert (drawn.pool, drawn.places) == (3, 5)
        assert checks.draw(session, actor=system, county=place, now=now) is None  # once a week
        check = session.scalars(select(RandomCheck)).one()
        assert check.child_id in {pupil.id for pupil in pupils[:3]}
        assert 0 < check.chance <= 1
        grant = session.scalars(select(AccessGrant).where(AccessGrant.reason_id == check.id)).one()
        assert grant.part == "identity"
        centre, other = county.actors["centre"], county.actors["officer"]
        [(found, child)] = list_checks(session, actor=centre, now=now)
        assert found is check
        with pytest.raises(NotFound):
            get_check(session, actor=other, check_id=check.id, now=now)
        said = checks.CheckIn(Finding.NEEDS_CARE, local_day(now), "interview", blinded=True)
        refused = checks.CheckIn(Finding.NOT_ATTENDED, local_day(now), "", blinded=True)
        with pytest.raises(InvalidInput, match="found"):
            checks.record(session, actor=centre, check=check, child=child, found=refused, now=now)
        checks.record(session, actor=centre, check=check, child=child, found=said, now=now)
        assert grant.ended_at is not None
        task = session.scalars(
            select(Task).where(Task.kind == TaskKind.SECOND_ASSESSMENT, Task.child_id == child.id)
        ).one()
        assert task.owner_id == county.actors["counsellor"].account_id
        with pytest.raises(PolicyViolation, match="already"):
            checks.record(session, actor=centre, check=check, child=child, found=said, now=now)


def test_a_child_that_another_county_has_drawn_is_not_drawn_again(county, database):
    """It has moved since; the draw of everybody else goes on."""
    pupils = county.enrol(2)
    for pupil in pupils:
        county.submit(pupil, "phq9", phq9(**MILD))
    now, system = county.clock.now(), Actor.system()
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        _limits(county, session, place, 5)
        result = session.scalars(select(ScreenResult).where(ScreenResult.child_id == pupils[0].id)).one()
        elsewhere = county.places["city"].id
        draw = CheckDraw(
            county_id=elsewhere, week_on=local_day(now), places=1, pool=1, seed=1, shares={}, drawn_at=now
        )
        session.add(draw)
        session.flush()
        session.add(
            RandomCheck(
                draw_id=draw.id,
                county_id=elsewhere,
                school_id=county.places["school"].id,
                child_id=pupils[0].id,
                result_id=result.id,
                chance=1.0,
            )
        )
        session.flush()
        drawn = checks.draw(session, actor=system, county=place, now=now, seed=1)
        assert drawn.pool == 1
        own = select(RandomCheck.child_id).where(RandomCheck.county_id == place.id)
        assert session.scalars(own).all() == [pupils[1].id]
        [(check, child)] = list_checks(session, actor=county.actors["centre"], now=now)
        early = checks.CheckIn(Finding.NO_NEED, local_day(now) - timedelta(days=1), "interview", blinded=True)
        with pytest.raises(InvalidInput, match="after the child was drawn"):
            checks.record(
                session, actor=county.actors["centre"], check=check, child=child, found=early, now=now
            )


def test_what_goes_wrong_in_one_county_stops_no_other(county, database, monkeypatch, caplog):
    asked = []

    def draw(session, *, actor, county, now):
        asked.append(county.id)
        if len(asked) == 1:
            raise RuntimeError("broken")

    monkeypatch.setattr(worker.checks, "draw", draw)
    monkeypatch.setattr(worker, "counties_that_draw", lambda session: [county.places["county"]] * 2)
    with database.begin() as session:
        worker.draw_checks(session, county.clock.now())
    assert len(asked) == 2
    assert "RuntimeError" in caplog.text


# --- labels ------------------------------------------------------------------------------------------------


def _note(county: County, session, pupil, finding: Finding, days: int = 3) -> None:
    """A return note as it stands when a facility has written it."""
    referral = session.scalars(select(Referral).where(Referral.child_id == pupil.id)).one()
    now = county.clock.now()
    referral.sent_at, referral.legal_basis = now, "consent"
    referral.return_notes.append(
        ReturnNote(
            number=len(referral.return_notes) + 1,
            visit_on=local_day(now) + timedelta(days=days),
            outcome=Outcome.OUTPATIENT_CARE,
            finding=finding,
            assessor_saw_probability=False,
            risk_now=RiskNow.LOW.value,
            attendance=Attendance.FULL.value,
            guardian_agreed=False,
            written_at=now,
            written_by=county.actors["clinician"].account_id,
        )
    )


def test_only_a_clear_finding_in_time_is_a_label_and_nobody_is_healthy_for_want_of_one(county, database):
    pupils = county.enrol(7)
    for pupil in pupils[:6]:
        county.submit(pupil, "phq9", phq9(total=21))
    county.submit(pupils[6], "phq9", phq9(**MILD))
    now = county.clock.now()
    said = (Finding.NEEDS_CARE, Finding.SUBTHRESHOLD, Finding.NOT_ATTENDED, Finding.INCONCLUSIVE)
    with database.begin() as session:
        for pupil, finding in zip(pupils, said, strict=False):
            _note(county, session, pupil, finding)
        _note(county, session, pupils[4], Finding.NO_NEED, days=57)  # after eight weeks: another state
        session.flush()
        place = session.merge(county.places["county"], load=False)
        training = training_rows(
            session,
            actor=county.actors["centre"],
            county=place,
            now=now + timedelta(days=1),
            base=served(day_one()),
        )
        found = {row.child: row for row in training.rows}
        assert [found[str(pupil.id)].y for pupil in pupils] == [1, 0, None, None, None, None, None]
        assert [found[str(pupil.id)].origin for pupil in pupils] == ["referred"] * 5 + [None, None]
        assert all(row.facility for row in training.rows if row.origin == "referred")
        assert found[str(pupils[0].id)].totals == {"phq9": 21.0}
        assert found[str(pupils[0].id)].blinded
        assert len(training.labelled.rows) == 2
        assert training.labelled.effective == pytest.approx(2.0)
        assert training.labelled.missing == 3
        with pytest.raises(NotPermitted):
            training_rows(
                session, actor=county.actors["counsellor"], county=place, now=now, base=served(day_one())
            )
        with pytest.raises(PolicyViolation, match="findings"):
            learn(session, actor=county.actors["centre"], county=place, now=now)


def test_a_finding_belongs_to_the_sheets_that_were_there_when_the_child_was_sent(county, database):
    [pupil] = county.enrol()
    county.submit(pupil, "phq9", phq9(total=21))
    with database.begin() as session:
        _note(county, session, pupil, Finding.NEEDS_CARE)
    county.clock.forward(timedelta(days=2))
    county.submit(pupil, "gad7", {str(n): 0 for n in range(1, 8)})
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        training = training_rows(
            session,
            actor=county.actors["centre"],
            county=place,
            now=county.clock.now(),
            base=served(day_one()),
        )
        [row] = training.rows
        assert (row.y, row.totals) == (1, {"phq9": 21.0})


def test_a_year_of_findings_becomes_a_candidate(county, database, monkeypatch):
    """The rows of a simulated year in place of the county's own: wrong base rate, and a candidate that passes."""
    world = scored(9_000, seed=21, base_rate=0.15, schools=50)
    rows = simulated_rows(world, verify(world.cohort, world.p, seed=3))
    monkeypatch.setattr("referral.learning.label_rows", lambda session, **asked: rows)
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        version = learn(session, actor=county.actors["centre"], county=place, now=county.clock.now())
        assert version.status is ModelStatus.CANDIDATE
        assert version.digest == sha256(version.artefact).digest()
        assert version.manifest["checked"] > 200
        assert 150 < version.manifest["effective"] < version.manifest["labels"]
        assert in_force(session, place.id) is None


# --- capacity and watching ---------------------------------------------------------------------------------


def test_a_week_of_talks_orders_the_queue_and_changes_no_level(county, database):
    pupils = county.enrol(3)
    county.submit(pupils[0], "phq9", phq9(total=10))
    county.submit(pupils[1], "phq9", phq9(total=22))
    county.submit(pupils[2], "phq9", phq9(item9=2, total=2))
    with database.begin() as session:
        now = county.clock.now()
        planned = plan_week(session, actor=county.actors["counsellor"], places=1, now=now)
        assert [each.child for each in planned.week.seen] == [str(pupils[2].id)]
        assert [each.child for each in planned.week.unseen] == [str(pupils[1].id), str(pupils[0].id)]
        assert planned.week.high_unseen == 1
        assert planned.week.missed > 0
        more = plan_week(session, actor=county.actors["counsellor"], places=3, now=now)
        assert more.week.unseen == ()
        with pytest.raises(NotPermitted):
            plan_week(session, actor=county.actors["lead"], places=1, now=now)


def test_findings_that_move_are_told_and_those_that_do_not_are_not(county):
    random = np.random.default_rng(3)
    today = local_day(county.clock.now())

    def year(shift: float) -> list[Found]:
        found = []
        for n in range(500):
            p = float(random.beta(2, 5))
            given = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + 1.0 + (shift if n > 150 else 0.0))))
            found.append(Found(today + timedelta(days=n), int(random.random() < given), p, referred=True))
        return found

    assert alarms_of(year(0.0)) == []
    assert alarms_of(year(1.2)) == ["findings:up"]
    assert alarms_of(year(0.0)[:40]) == []


def test_rows_are_read_in_pieces():
    assert [len(piece) for piece in queries._pieces(list(range(1_200)))] == [500, 500, 200]


def test_a_rate_of_a_survey_is_a_candidate_that_claims_no_label(county, database, monkeypatch):
    world = scored(2_000, seed=22, schools=20)
    rows = simulated_rows(world, verify(world.cohort, world.p, seed=3))
    monkeypatch.setattr("referral.learning.label_rows", lambda session, **asked: rows)
    officer, now = county.actors["officer"], county.clock.now()
    with database.begin() as session:
        place = session.merge(county.places["county"], load=False)
        with pytest.raises(InvalidInput, match="survey"):
            shift(session, actor=officer, county=place, rate=0.06, source=" ", now=now)
        with pytest.raises(InvalidInput, match="base rate"):
            shift(session, actor=officer, county=place, rate=0.5, source="2025", now=now)
        version = shift(session, actor=officer, county=place, rate=0.05, source="2025", now=now)
        assert version.name.startswith("rate-")
        assert "intercept_step" in version.manifest["second"]
        models.put_forward(session, actor=officer, version=version, now=now)
        models.approve(session, actor=county.actors["centre"], version=version, seen_warnings=True, now=now)
        model, fault = model_of(version, local_day(now))
        assert fault is None
        assert (model.labels, model.doubt) == (0.0, ())
