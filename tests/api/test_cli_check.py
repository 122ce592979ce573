"""What ``xinqiao check`` and ``xinqiao doctor`` find, each by breaking what they look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update

from api.cli import check, doctor, home
from api.cli.check import check_all
from api.cli.doctor import Weight
from instruments import Grade
from referral.models.case import Case
from referral.models.plan import PlanVersion
from referral.models.task import Task
from referral.terms import TaskKind
from risk_model import Level
from screening.core import documents, outbox
from screening.core.documents import StoredDocument
from screening.core.outbox import OutboxMessage
from screening.core.sealing import write_keys
from screening.core.settings import Webhook
from screening.models.account import Account, RoleGrant
from screening.models.organisation import DutyEntry
from screening.models.result import ScreenResult
from tests.referral.county import furnished, phq9


@pytest.fixture
def county(database, clock):
    """Children with every level and grade: nothing, a raised score, high, and critical answers C, B and A."""
    made = furnished(database, clock)
    pupils = made.enrol(6)
    made.submit(pupils[0], "phq9", phq9())
    made.submit(pupils[1], "phq9", phq9(total=10))
    made.submit(pupils[2], "phq9", phq9(total=21))
    made.submit(pupils[3], "phq9", phq9(item9=1))
    made.submit(pupils[4], "phq9", phq9(item9=3))
    made.submit(pupils[5], "asq", {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1})
    return made


@pytest.fixture
def found(database, clock):
    """What a check finds: sentence → how many."""

    def look(**more):
        with database.look() as session:
            return {f.message: f.count for f in check_all(session, now=clock.now(), **more)}

    return look


@pytest.fixture
def change(database):
    def run(*statements):
        with database.begin() as session:
            for statement in statements:
                session.execute(statement.execution_options(synchronize_session=False))

    return run


def test_what_the_service_does_keeps_every_promise(county, found):
    assert found(deep=True) == {}


def test_an_empty_database_keeps_every_promise(found):
    assert found(deep=True) == {}


def test_a_sheet_without_its_result(county, found, change):
    change(delete(ScreenResult).where(ScreenResult.level == Level.NONE))
    assert found() == {check.UNREAD: 1}


def test_a_result_whose_child_has_no_case(county, found, change, clock):
    """Closed before the result came: nobody has decided about it."""
    change(update(Case).values(closed_at=clock.now() - timedelta(days=1), closed_by=uuid4()))
    assert found()[check.NO_CASE] == 4


def test_a_case_that_a_person_closed_afterwards_is_a_decision(county, found, change, clock):
    change(update(Case).values(closed_at=clock.now() + timedelta(hours=1), closed_by=uuid4()))
    assert check.NO_CASE not in found()


@pytest.mark.parametrize(
    ("grade", "level"),
    [(Grade.A, Level.HIGH), (Grade.B, Level.ELEVATED), (Grade.C, Level.NONE), (Grade.B, None)],
)
def test_a_critical_answer_below_its_floor(county, found, change, grade, level):
    values = {"level": level} if level else {"level": None, "status": "not_scored"}
    change(update(ScreenResult).where(ScreenResult.grade == grade).values(**values))
    assert found()[check.BELOW_FLOOR] == 1


def test_a_case_without_a_plan(county, found, change, clock):
    change(update(PlanVersion).values(superseded_at=clock.now()))
    assert found() == {check.NO_PLAN: 3}


@pytest.mark.parametrize("how", ["disabled", "post ended"])
def test_things_whose_owner_has_left(county, found, change, clock, how):
    counsellor = county.actors["counsellor"].account_id
    if how == "disabled":
        change(update(Account).where(Account.id == counsellor).values(disabled_at=clock.now()))
    else:
        yesterday = clock.today() - timedelta(days=1)
        change(update(RoleGrant).where(RoleGrant.account_id == counsellor).values(valid_to=yesterday))
    seen = found()
    assert seen[check.CASE_OWNER] == 4
    assert seen[check.EPISODE_OWNER] == 1
    assert seen[check.TASK_OWNER] > 4
    assert seen[check.REFERRAL_OWNER] > 0
    if how == "post ended":
        with county.database.begin() as session:
            county.on_duty("counsellor", session)
        assert found() == {}, "whoever is on duty answers"


def test_background_work_that_nobody_does(county, found, change, clock):
    clock.forward(timedelta(hours=1, seconds=1))
    seen = found()
    assert seen[check.LATE] > 0
    change(update(OutboxMessage).values(finished_at=clock.now()))
    assert check.LATE not in found()


def test_background_work_that_was_given_up_is_shown(database, found, change, clock):
    with database.begin() as session:
        outbox.publish(session, topic="x", payload={}, purpose="x", now=clock.now())
    change(update(OutboxMessage).values(dead_at=clock.now()))
    assert found() == {check.DEAD: 1}
    change(update(OutboxMessage).values(finished_at=clock.now()))
    assert found() == {check.DEAD: 1, check.BOTH: 1}


def test_a_referral_without_its_note(county, found, change, clock):
    clock.forward(timedelta(minutes=11))
    assert check.NO_NOTE not in found(), "its own task is still open"
    change(
        update(Task).where(Task.kind == TaskKind.NOTE_OVERDUE).values(done_at=clock.now(), decision="made")
    )
    assert found()[check.NO_NOTE] >= 2


def test_a_stored_file_that_was_changed(database, found, change, clock):
    with database.begin() as session:
        kept = [
            documents.store(session, data=b"x", media_type="text/plain", now=clock.now()).id for _ in range(3)
        ]
        session.flush()
        cell = session.get_one(StoredDocument, kept[0]).body_sealed
    assert found(deep=True) == {}
    change(update(StoredDocument).where(StoredDocument.id == kept[1]).values(body_sealed=cell))
    change(update(StoredDocument).where(StoredDocument.id == kept[2]).values(sha256=b"0" * 32))
    assert found(deep=True) == {check.FILE: 2}
    assert found() == {}, "only a deep check opens files"


def test_a_result_that_nobody_answers_for(county, found, change, clock):
    change(
        update(Task).values(done_at=clock.now() - timedelta(days=1), decision="before the result"),
    )
    assert found()[check.NO_TASK] == 5
    change(update(Task).values(done_at=clock.now() + timedelta(minutes=1)))
    assert check.NO_TASK not in found(), "a dated decision is an answer"


def test_findings_carry_ids_and_no_more_than_twenty(database, clock, change):
    with database.begin() as session:
        for number in range(25):
            outbox.publish(session, topic="x", payload={}, purpose=str(number), now=clock.now())
    change(update(OutboxMessage).values(dead_at=clock.now()))
    with database.look() as session:
        [finding] = check_all(session, now=clock.now())
        known = set(session.scalars(select(OutboxMessage.id)))
    assert (finding.invariant, finding.count, len(finding.ids)) == (6, 25, 20)
    assert set(finding.ids) < known


# --- doctor ------------------------------------------------------------------------------------------------


@pytest.fixture
def signs(settings, database, keyring, clock):
    """What the doctor says about the test's database: message → weight."""
    from api.auth import keys

    settings.home.chmod(0o700)
    for path in settings.home.glob("*.sqlite"):
        path.chmod(0o600)
    write_keys(settings.keys_file, keyring)
    keys.create(settings.tokens_file)

    def look(changed=None):
        return {sign.message: sign.weight for sign in doctor.examine(changed or settings, clock)}

    return look


def bad(said):
    return {message for message, weight in said.items() if weight is Weight.BAD}


def test_a_machine_in_order(signs):
    assert bad(signs()) == set()


def test_an_empty_duty_roster_is_an_alarm(county, signs, change, clock):
    assert bad(signs()) == set()
    change(update(DutyEntry).values(ends_at=clock.now()))
    assert bad(signs()) == {"Nobody is on duty in {code} at this moment."}


def test_work_that_does_not_get_done_is_said(county, signs, change, clock):
    clock.forward(timedelta(minutes=11))
    assert any("waiting for 10 minutes" in message for message in bad(signs()))
    change(update(OutboxMessage).values(dead_at=clock.now()))
    assert any("given up" in message for message in bad(signs()))


def test_what_others_can_read_is_said(signs, settings):
    settings.home.chmod(0o755)
    settings.keys_file.chmod(0o640)
    said = bad(signs())
    assert "The directory {home} can be entered by others. Run chmod 700 on it." in said
    assert "Keys: {reason}." in said
    settings.home.chmod(0o700)


def test_a_missing_font_or_library_is_said(signs, settings, tmp_path):
    said = bad(signs(replace(settings, font=tmp_path / "none.ttf")))
    assert any("font" in message for message in said)


def test_a_year_without_a_calendar_is_said(signs, clock):
    message = "The calendar of working days has no table for {years}."
    clock.forward(timedelta(days=40 * 365))
    assert signs()[message] is Weight.NOTE


def test_a_missing_gateway_is_said(signs, settings):
    message = "No gateway for messages is set (XINQIAO_WEBHOOK_URL): only the open page rings."
    assert signs()[message] is Weight.NOTE
    webhook = Webhook("https://gateway.example", b"x" * 32)
    assert message not in signs(replace(settings, webhook=webhook))


def test_a_missing_home_is_said(signs, settings, tmp_path):
    elsewhere = replace(
        settings, home=tmp_path / "nowhere", database_url=f"sqlite:///{tmp_path}/nowhere/x.sqlite"
    )
    said = bad(signs(elsewhere))
    assert "The directory {home} is missing. `xinqiao db init` makes it." in said
    assert any("xinqiao db init" in message and "no database" in message for message in said)


def test_the_running_service_is_not_disturbed(signs, database, settings):
    """``database`` is held by this process all the time; SQLite would refuse a second holder."""
    assert bad(signs()) == set()
    with home.opened(settings, hold=False) as other, other.look() as session:
        assert session.scalars(select(Account.id)).all() == []
