"""Up, down and up again, a kill in the middle, and a trail that nobody changes, on the engine under test."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from api import migrations
from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow, AuditSeal, record, seal_tail
from tests.conftest import ENGINE, SERVER
from tests.postgres import APPLICATION, OWNER, Server, unique_name

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)


@pytest.fixture
def empty(database_url, tmp_path):
    """A database without any table: its address for the application and for the owner."""
    yield from without_tables(tmp_path)


def without_tables(tmp_path):
    if ENGINE == "sqlite":
        url = f"sqlite:///{tmp_path / 'new.sqlite'}"
        yield url, url
        return
    server, name = Server(os.environ[SERVER]), unique_name("empty")
    server.create(name)
    with server.connect(name) as connection:
        connection.execute(f"ALTER SCHEMA public OWNER TO {OWNER}")
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    yield server.url(name, APPLICATION), server.url(name, OWNER)
    server.drop(name)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_up_down_and_up_again(empty):
    url, owner = empty
    assert migrations.current(url) is None
    migrations.upgrade(url, owner_url=owner)
    assert migrations.current(url) == migrations.head()
    assert migrations.check(owner) == ()
    everything = tables(owner)
    assert {"child", "task", "audit_row", "outbox_message", "stored_document"} <= everything
    migrations.downgrade(owner)
    assert migrations.current(owner) is None
    assert not tables(owner)
    migrations.upgrade(url, owner_url=owner)
    migrations.upgrade(url, owner_url=owner)
    assert tables(owner) == everything
    assert migrations.check(owner) == ()


def test_a_table_that_differs_from_its_model_is_named(empty):
    _, owner = empty
    migrations.upgrade(owner)
    with migrations.connection(owner) as connection, connection.begin():
        connection.execute(text("ALTER TABLE task DROP COLUMN step"))
    assert [line for line in migrations.check(owner) if "task" in line and "step" in line]


def test_every_check_constraint_of_the_models_is_in_the_database(empty):
    """Alembic's comparison does not look at them."""
    _, owner = empty
    migrations.upgrade(owner)
    wanted = {
        (table.name, str(constraint.name))
        for table in migrations.models().tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    engine = create_engine(owner)
    found = {
        (name, check["name"])
        for name in inspect(engine).get_table_names()
        for check in inspect(engine).get_check_constraints(name)
    }
    engine.dispose()
    assert wanted
    assert wanted <= found


def test_foreign_keys_wait_for_the_end_of_the_transaction(empty):
    _, owner = empty
    migrations.upgrade(owner)
    missing, child = uuid4(), uuid4()
    insert = text("INSERT INTO refresh_token (id, session_id, digest, issued_at) VALUES (:i, :s, :d, :t)")
    row = {"i": child.hex, "s": missing.hex, "d": b"x", "t": NOW}
    with migrations.connection(owner) as connection:
        transaction = connection.begin()
        connection.execute(insert, row)
        with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
            transaction.commit()


class Killed(BaseException):
    """The process is gone."""


def test_a_kill_in_the_middle_leaves_the_step_before_and_can_be_resumed(empty, monkeypatch):
    _, owner = empty
    steps = list(ScriptDirectory.from_config(migrations.config()).walk_revisions())
    last, before = steps[0], steps[1]

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        # Its last statement: what the step did before must not stay.
        patched.setattr(
            "alembic.runtime.migration.HeadMaintainer.update_to_step", _die_at(last.revision, die)
        )
        with pytest.raises(Killed):
            migrations.upgrade(owner)
    assert migrations.current(owner) == before.revision
    migrations.upgrade(owner)
    assert migrations.current(owner) == migrations.head()
    assert migrations.check(owner) == ()


def _die_at(revision, die):
    from alembic.runtime.migration import HeadMaintainer

    usual = HeadMaintainer.update_to_step

    def update_to_step(self, step):
        if step.to_revisions_no_deps == (revision,):
            die()
        usual(self, step)

    return update_to_step


# --- the trail ---------------------------------------------------------------------------------------------


@pytest.fixture
def with_trail(database):
    with database.begin() as session:
        record(session, actor=Actor.system(), event=AuditEvent.SIGN_OUT, at=NOW, subject_id=uuid4())
    with database.begin() as session:
        assert seal_tail(session) == 1
    return database


@pytest.mark.parametrize("model", [AuditRow, AuditSeal])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_application_cannot_change_or_remove_a_row_of_the_trail(with_trail, model, verb):
    with with_trail.look() as session:
        row = session.scalars(select(model.id)).one()
    statement = (
        update(model).values(id=uuid4())
        if verb == "update"
        else model.__table__.delete().where(model.id == row)
    )
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"), with_trail.begin() as session:
        session.execute(statement)
    with with_trail.look() as session:
        assert session.scalars(select(model.id)).all() == [row]


@pytest.mark.parametrize("pragma", ["ON", "OFF"])
def test_replacing_a_row_is_refused_whatever_the_connection_has_set(with_trail, pragma):
    if ENGINE != "sqlite":
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    path = with_trail.url.database
    with_trail.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA recursive_triggers = {pragma}")
    for table in migrations.APPEND_ONLY:
        for column in ("id", "seq", "row_id") if table == "audit_seal" else ("id",):
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(
                name if name == column or name not in {"id", "seq", "row_id"} else f"{name} || 'x'"
                for name in columns
            )
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(f"INSERT OR REPLACE INTO {table} SELECT {values} FROM {table}")
    connection.close()


@pytest.mark.parametrize(
    "verb", ["UPDATE audit_row SET event = 'x'", "DELETE FROM audit_row", "DELETE FROM audit_seal"]
)
def test_even_the_owner_of_the_tables_is_refused_by_the_trigger(empty, verb):
    url, owner = empty
    migrations.upgrade(url, owner_url=owner)
    with migrations.connection(owner) as connection, connection.begin():
        row = uuid4().hex
        connection.execute(
            text("INSERT INTO audit_row (id, at, event) VALUES (:i, :t, 'session.sign_out')"),
            {"i": row, "t": NOW},
        )
        connection.execute(
            text("INSERT INTO audit_seal (id, seq, row_id, digest) VALUES (:i, 1, :r, :d)"),
            {"i": uuid4().hex, "r": row, "d": b"0" * 32},
        )
    with (
        pytest.raises(DBAPIError, match="append-only"),
        migrations.connection(owner) as connection,
        connection.begin(),
    ):
        connection.execute(text(verb))


def test_the_application_owns_nothing_and_may_not_more_than_it_needs(empty):
    if ENGINE != "postgresql":
        pytest.skip("SQLite has no roles")
    url, owner = empty
    migrations.upgrade(url, owner_url=owner)
    asked = """
        SELECT t.tablename, p.privilege,
               has_table_privilege(:role, format('%I.%I', t.schemaname, t.tablename), p.privilege) AS may,
               t.tableowner
        FROM pg_tables t, unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) AS p(privilege)
        WHERE t.schemaname = 'public'
    """
    with migrations.connection(owner) as connection:
        rows = connection.execute(text(asked), {"role": APPLICATION}).all()
    assert {row.tableowner for row in rows} == {OWNER}
    may: dict[str, set[str]] = {}
    for row in rows:
        may.setdefault(row.tablename, set())
        if row.may:
            may[row.tablename].add(row.privilege)
    usual = {"SELECT", "INSERT", "UPDATE", "DELETE"}
    special = {
        "alembic_version": {"SELECT"},
        "audit_row": {"SELECT", "INSERT"},
        "audit_seal": {"SELECT", "INSERT"},
    }
    assert may == {table: special.get(table, usual) for table in may}


def test_default_privileges_do_not_open_the_trail(database):
    """The test database was migrated by the owner alone; the schema's default privileges gave the rest."""
    if ENGINE != "postgresql":
        pytest.skip("SQLite has no roles")
    with database.look() as session:
        for table in migrations.APPEND_ONLY:
            for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
                asked = text("SELECT has_table_privilege(:t, :p)")
                assert session.scalar(asked, {"t": table, "p": privilege}) is False


def test_a_missing_file_is_not_made_by_asking(tmp_path):
    path = tmp_path / "none.sqlite"
    assert migrations.current(f"sqlite:///{path}") is None
    assert not path.exists()


def test_a_step_of_a_newer_version_is_not_known():
    assert migrations.known(migrations.head())
    assert not migrations.known("9999")
