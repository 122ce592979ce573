"""The migrations make exactly the tables that the models describe, on the engine under test."""

from __future__ import annotations

import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData, Table

from api import migrations
from tests.architecture.sources import ROOT

KNOWN_AND_ALL = """
from api import migrations
from tests.architecture.sources import load_tables
known = set(migrations.models().tables)
load_tables()
print(*(set(migrations.models().tables) - known))
"""


def test_nothing_is_missing_or_left_over(database_url):
    assert migrations.check(database_url) == ()


def test_a_missing_table_would_be_seen(database_url):
    extended = MetaData()
    Table("never_migrated", extended, Column("id", Integer, primary_key=True))
    with migrations.connection(database_url) as opened:
        changes = compare_metadata(MigrationContext.configure(opened), extended)
    assert any(change[0] == "add_table" for change in changes)


def test_migrations_know_every_table():
    """A module of ``screening.core`` with a table that ``migrations.models`` does not import would be forgotten."""
    result = subprocess.run(
        [sys.executable, "-c", KNOWN_AND_ALL], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_the_last_migration_is_the_only_head():
    assert len(ScriptDirectory.from_config(migrations.config()).get_heads()) == 1
