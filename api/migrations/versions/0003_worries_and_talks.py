"""Worries and the schools' public links, unsent forms, and sheets that were asked for outside a campaign.

Three columns may be empty from now on. SQLite cannot say so about a column that is there, and the usual way (a new
table, the rows copied, the old one dropped) cannot be one transaction with foreign keys watched: dropping the table
counts as deleting every row that others refer to. So the words ``NOT NULL`` are taken out of the stored definition,
which SQLite's manual allows for changes that touch no row (https://www.sqlite.org/lang_altertable.html, section 7).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MAY_BE_EMPTY = (
    ("administration", "campaign_id"),
    ("administration", "roster_entry_id"),
    ("screen_result", "campaign_id"),
)
OCCASION = (
    "(roster_entry_id IS NULL) = (campaign_id IS NULL) AND (roster_entry_id IS NULL) <> (occasion_id IS NULL)"
)


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _may_be_empty(empty: bool) -> None:
    if not _sqlite():
        for table, column in MAY_BE_EMPTY:
            op.alter_column(table, column, existing_type=sa.Uuid(), nullable=empty)
        return
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    for table, column in MAY_BE_EMPTY:
        there, wanted = f"{column} CHAR(32) NOT NULL,", f"{column} CHAR(32),"
        if not empty:
            there, wanted = wanted, there
        changed = op.get_bind().execute(
            sa.text(
                "UPDATE sqlite_schema SET sql = replace(sql, :there, :wanted) "
                "WHERE type = 'table' AND name = :table AND instr(sql, :there) > 0"
            ),
            {"there": there, "wanted": wanted, "table": table},
        )
        if changed.rowcount != 1:
            raise RuntimeError(f"{table}.{column} is not written as expected")
    # Whoever holds the file open reads the definitions anew.
    op.execute(f"PRAGMA schema_version = {int(version) + 1}")
    op.execute("PRAGMA writable_schema = OFF")


def _occasion() -> None:
    if _sqlite():
        op.execute(
            "ALTER TABLE administration ADD COLUMN occasion_id CHAR(32) "
            f"CONSTRAINT ck_administration_occasion CHECK ({OCCASION})"
        )
        return
    op.add_column("administration", sa.Column("occasion_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(op.f("ck_administration_occasion"), "administration", OCCASION)


def upgrade() -> None:
    op.create_table(
        "worry_link",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_worry_link_ended")),
        sa.ForeignKeyConstraint(
            ["ended_by"],
            ["account.id"],
            name=op.f("fk_worry_link_ended_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["made_by"],
            ["account.id"],
            name=op.f("fk_worry_link_made_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_worry_link_organisation_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worry_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_worry_link_digest")),
    )
    op.create_index(
        "uq_worry_link_live",
        "worry_link",
        ["organisation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "form_draft",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("form", sa.String(length=20), nullable=False),
        sa.Column("fields_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_form_draft_account_id_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["care_case.id"],
            name=op.f("fk_form_draft_case_id_care_case"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_draft")),
        sa.UniqueConstraint(
            "account_id", "case_id", "form", name=op.f("uq_form_draft_account_id_case_id_form")
        ),
    )
    op.create_index(op.f("ix_form_draft_case_id"), "form_draft", ["case_id"], unique=False)
    op.create_table(
        "worry",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("custody", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=40), nullable=False),
        sa.Column("urgency", sa.String(length=40), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("link_id", sa.Uuid(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("decision", sa.String(length=40), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(child_id IS NULL) = (case_id IS NULL)", name=op.f("ck_worry_matched")),
        sa.CheckConstraint("(settled_at IS NULL) = (decision IS NULL)", name=op.f("ck_worry_settled")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_worry_account_id_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["care_case.id"],
            name=op.f("fk_worry_case_id_care_case"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["child.id"],
            name=op.f("fk_worry_child_id_child"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["worry_link.id"],
            name=op.f("fk_worry_link_id_worry_link"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_worry_organisation_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["organisation.id"],
            name=op.f("fk_worry_school_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worry")),
        sa.UniqueConstraint("key_digest", name=op.f("uq_worry_key_digest")),
    )
    op.create_table(
        "safety_talk",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("administration_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("remark_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["administration_id"],
            ["administration.id"],
            name=op.f("fk_safety_talk_administration_id_administration"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["care_case.id"],
            name=op.f("fk_safety_talk_case_id_care_case"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["child.id"],
            name=op.f("fk_safety_talk_child_id_child"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"],
            ["account.id"],
            name=op.f("fk_safety_talk_recorded_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_safety_talk")),
        sa.UniqueConstraint("administration_id", name=op.f("uq_safety_talk_administration_id")),
    )
    op.create_index(op.f("ix_safety_talk_case_id"), "safety_talk", ["case_id"], unique=False)
    op.create_index(op.f("ix_worry_case_id"), "worry", ["case_id"], unique=False)
    op.create_index("ix_worry_link", "worry", ["link_id", "raised_at"], unique=False)
    op.create_index(op.f("ix_worry_organisation_id"), "worry", ["organisation_id"], unique=False)
    _may_be_empty(True)
    _occasion()
    op.add_column(
        "administration", sa.Column("protected", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_safety_talk_case_id"), table_name="safety_talk")
    op.drop_table("safety_talk")
    # A sheet of a talk has no place in the tables of before.
    op.execute("DELETE FROM screen_result WHERE campaign_id IS NULL")
    op.execute("DELETE FROM administration WHERE roster_entry_id IS NULL")
    op.drop_column("administration", "protected")
    if not _sqlite():
        op.drop_constraint(op.f("ck_administration_occasion"), "administration", type_="check")
    op.drop_column("administration", "occasion_id")
    _may_be_empty(False)
    op.drop_index(op.f("ix_worry_organisation_id"), table_name="worry")
    op.drop_index("ix_worry_link", table_name="worry")
    op.drop_index(op.f("ix_worry_case_id"), table_name="worry")
    op.drop_table("worry")
    op.drop_index(op.f("ix_form_draft_case_id"), table_name="form_draft")
    op.drop_table("form_draft")
    op.drop_index(
        "uq_worry_link_live",
        table_name="worry_link",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("worry_link")
