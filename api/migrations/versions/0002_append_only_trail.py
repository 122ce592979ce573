"""The trail is only ever added to: triggers refuse to change or remove a row of it, whoever asks (AD2).

PostgreSQL: whoever was given more than reading and adding loses it (default privileges of the schema may have
given it); the owner keeps TRUNCATE, which no trigger of ours refuses, because the application is not the owner.

SQLite: ``INSERT OR REPLACE`` runs delete triggers only under ``PRAGMA recursive_triggers = ON``, a setting of each
connection; the triggers before insert refuse it without that setting too.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Table → columns of which each is unique: what a replacing insert could collide with.
TABLES = {"audit_row": ("id",), "audit_seal": ("id", "seq", "row_id")}

SQLITE_CHANGE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END
"""
SQLITE_REPLACE = """
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END
"""

POSTGRESQL_REFUSE = """
CREATE FUNCTION refuse_change_of_trail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the trail is append-only' USING ERRCODE = 'insufficient_privilege'; END $$
"""
POSTGRESQL_CHANGE = """
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_trail()
"""
POSTGRESQL_REVOKE = """
DO $$
DECLARE other text;
BEGIN
  FOR other IN
    SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
    FROM pg_class c, LATERAL aclexplode(c.relacl) a
    WHERE c.oid = '{table}'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {table} FROM %s', other);
  END LOOP;
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table, unique in TABLES.items():
            for verb in ("update", "delete"):
                op.execute(SQLITE_CHANGE.format(table=table, verb=verb))
            same = " OR ".join(f"{column} = NEW.{column}" for column in unique)
            op.execute(SQLITE_REPLACE.format(table=table, same=same))
        return
    op.execute(POSTGRESQL_REFUSE)
    for table in TABLES:
        op.execute(POSTGRESQL_CHANGE.format(table=table))
        op.execute(POSTGRESQL_REVOKE.format(table=table))


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for what in ("update", "delete", "replace"):
                op.execute(f"DROP TRIGGER {table}_no_{what}")
        return
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_no_change ON {table}")
    op.execute("DROP FUNCTION refuse_change_of_trail()")
