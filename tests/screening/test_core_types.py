"""Column types: instants keep their moment, enums their members, sealed cells their secret and their place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import StatementError

from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow, record
from screening.core.clock import LOCAL
from screening.core.form_number import new_form_number
from screening.core.sealing import SealBroken
from screening.models.child import Child, Guardian, Sex
from screening.models.organisation import Organisation, OrganisationKind

NOW = datetime(2026, 10, 14, 2, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def organisation_id(database):
    with database.begin() as session:
        place = Organisation(kind=OrganisationKind.CITY, code="city", name="青江市", path="/city/")
        session.add(place)
    return place.id


@pytest.fixture
def add_child(database, organisation_id):
    from random import Random

    def add(name="王䶮", id_number=None, seed=1):
        with database.begin() as session:
            child = Child(
                organisation_id=organisation_id,
                file_no=new_form_number(Random(seed)),
                name=name,
                sex=Sex.FEMALE,
                birth_date=date(2012, 3, 1),
                id_number=id_number,
                created_at=NOW,
            )
            session.add(child)
        return child.id

    return add


# --- instants and enums ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [UTC, LOCAL, timezone(timedelta(hours=-9, minutes=-30))])
def test_an_instant_is_the_same_moment_whatever_zone_it_came_in(database, zone):
    with database.begin() as session:
        record(session, actor=Actor.system(), event=AuditEvent.SIGN_IN, at=NOW.astimezone(zone))
    with database.look() as session:
        at = session.scalars(select(AuditRow.at)).one()
        found = session.scalars(select(AuditRow).where(AuditRow.at == NOW.astimezone(LOCAL))).all()
    assert at == NOW
    assert at.utcoffset() == timedelta(0)
    assert len(found) == 1


def test_an_instant_without_a_zone_is_refused(database):
    with pytest.raises(StatementError, match="time zone"), database.begin() as session:
        record(session, actor=Actor.system(), event=AuditEvent.SIGN_IN, at=NOW.replace(tzinfo=None))


def test_a_word_that_is_no_member_is_not_stored(database):
    with pytest.raises(StatementError, match="is not a valid AuditEvent"), database.begin() as session:
        session.execute(AuditRow.__table__.insert().values(at=NOW, event="no.such"))


def test_a_stored_word_that_is_no_member_is_an_error_and_no_guess(database, add_child):
    add_child()
    with database.begin() as session:
        session.execute(text("UPDATE child SET sex = 'unknown'"))
    with pytest.raises(ValueError, match="is not a valid Sex"), database.look() as session:
        session.scalars(select(Child)).one()


# --- sealed cells ------------------------------------------------------------------------------------------


def test_a_sealed_text_comes_back_in_another_session(database, add_child):
    child_id = add_child("王䶮", "99010120120301123X")
    with database.look() as session:
        child = session.get_one(Child, child_id)
        assert (child.name, child.id_number) == ("王䶮", "99010120120301123X")


def test_what_stands_in_the_table_tells_nothing(database, add_child):
    add_child("王䶮", "99010120120301123X")
    with database.look() as session:
        [row] = session.execute(text("SELECT name_sealed, name_index, id_number_sealed FROM child")).all()
    stored = b"".join(bytes(cell) for cell in row)
    assert "王".encode() not in stored
    assert b"9901" not in stored


def test_a_child_is_found_by_the_blind_index(database, add_child):
    wanted, _ = add_child("王䶮", seed=1), add_child("王芳", seed=2)
    with database.look() as session:
        blind = database.keyring.blind("child.name", "王 䶮")
        assert session.scalars(select(Child.id).where(Child.name_index == blind)).all() == [wanted]


def test_cells_of_two_rows_cannot_be_exchanged(database, add_child):
    one, two = add_child("王䶮", seed=1), add_child("李𬍡玥", seed=2)
    with database.begin() as session:
        other = session.scalars(select(Child.name_sealed).where(Child.id == two)).one()
        session.execute(update(Child).where(Child.id == one).values(name_sealed=other))
    with database.look() as session, pytest.raises(SealBroken):
        _ = session.get_one(Child, one).name


def test_cells_of_two_columns_cannot_be_exchanged(database, add_child):
    child_id = add_child("王䶮", "99010120120301123X")
    with database.begin() as session:
        session.execute(update(Child).values(name_sealed=Child.id_number_sealed))
    with database.look() as session, pytest.raises(SealBroken):
        _ = session.get_one(Child, child_id).name


def test_a_changed_text_is_sealed_and_indexed_anew(database, add_child):
    child_id = add_child("王䶮")
    with database.begin() as session:
        session.get_one(Child, child_id).name = "王䶮䶮"
    with database.look() as session:
        child = session.get_one(Child, child_id)
        assert child.name == "王䶮䶮"
        assert child.name_index == database.keyring.blind("child.name", "王䶮䶮")


def test_an_optional_text_can_be_taken_away_with_its_index(database, add_child):
    child_id = add_child(id_number="99010120120301123X")
    with database.begin() as session:
        session.get_one(Child, child_id).id_number = None
    with database.look() as session:
        child = session.get_one(Child, child_id)
        assert (child.id_number, child.id_number_sealed, child.id_number_index) == (None, None, None)


def test_an_empty_text_is_a_text(database, add_child):
    child_id = add_child(id_number="")
    with database.look() as session:
        assert session.get_one(Child, child_id).id_number == ""


def test_a_text_read_again_from_the_database_is_the_new_one(database, add_child):
    """What another session wrote meanwhile counts, not what was opened before."""
    child_id = add_child("王䶮")
    with database.look() as session:
        child = session.get_one(Child, child_id)
        assert child.name == "王䶮"
        session.rollback()
        with database.begin() as other:
            other.get_one(Child, child_id).name = "李𬍡玥"
        session.refresh(child)
        assert child.name == "李𬍡玥"


def test_a_change_that_was_rolled_back_is_not_shown(database, add_child):
    child_id = add_child("王䶮")
    with database.look() as session:
        child = session.get_one(Child, child_id)
        child.name = "李𬍡玥"
        session.rollback()
        session.refresh(child)
        assert child.name == "王䶮"


def test_a_required_text_that_was_never_set_says_so_without_naming_anybody():
    with pytest.raises(ValueError, match=r"Child\.name was never set"):
        _ = Child(sex=Sex.MALE, birth_date=date(2012, 3, 1)).name


def test_a_cell_is_opened_inside_a_session_only(database, add_child):
    child_id = add_child("王䶮")
    with database.look() as session:
        child = session.get_one(Child, child_id)
        session.expunge(child)
    with pytest.raises(RuntimeError, match="inside a session"):
        _ = child.name


def test_sealed_columns_of_one_class_do_not_leak_into_another():
    assert set(Child.sealed_attributes) == {"name", "id_number"}
    assert set(Guardian.sealed_attributes) == {"name", "phone"}
