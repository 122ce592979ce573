"""The migrations make exactly the tables that the models describe, on the engine under test."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table

from screening.core.db import Base
from tests.architecture.sources import load_tables


@pytest.fixture
def context(database):
    load_tables()
    with database.engine.connect() as connection:
        yield MigrationContext.configure(connection, opts={"compare_type": True})


def test_nothing_is_missing_or_left_over(context):
    assert compare_metadata(context, Base.metadata) == []


def test_a_missing_table_would_be_seen(context):
    extended = MetaData()
    Table("never_migrated", extended, Column("id", Integer, primary_key=True))
    assert any(change[0] == "add_table" for change in compare_metadata(context, extended))


def test_the_last_migration_is_the_only_head():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "api:migrations")
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
