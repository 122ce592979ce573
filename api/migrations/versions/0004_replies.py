"""Answers without an account: the codes of a note, a facility's own code, what was said and who carried it in.

SQLite cannot add a foreign key to a table that is there: the two tables that get one are copied.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What may have been written on somebody else's words.
CARRIED = ("referral_status_change", "return_note")


def upgrade() -> None:
    op.create_table(
        "facility_code",
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(length=200), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["facility_id"],
            ["organisation.id"],
            name=op.f("fk_facility_code_facility_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facility_code")),
    )
    op.create_index(
        "uq_facility_code_current",
        "facility_code",
        ["facility_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "referral_reply",
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("said_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("typed_by", sa.Uuid(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.Column("result", sa.String(length=40), nullable=True),
        sa.Column("with_whom_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(settled_at IS NULL) = (result IS NULL)", name=op.f("ck_referral_reply_settled")),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["referral.id"],
            name=op.f("fk_referral_reply_referral_id_referral"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["settled_by"],
            ["account.id"],
            name=op.f("fk_referral_reply_settled_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["typed_by"],
            ["account.id"],
            name=op.f("fk_referral_reply_typed_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_reply")),
    )
    op.create_index(op.f("ix_referral_reply_referral_id"), "referral_reply", ["referral_id"], unique=False)
    op.create_index(
        "uq_referral_reply_waiting",
        "referral_reply",
        ["referral_id", "kind"],
        unique=True,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "reply_code",
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("token_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_failures", sa.Integer(), nullable=False),
        sa.Column("code_blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facility_failures", sa.Integer(), nullable=False),
        sa.Column("facility_blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["referral.id"],
            name=op.f("fk_reply_code_referral_id_referral"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_code")),
        sa.UniqueConstraint("referral_id", name=op.f("uq_reply_code_referral_id")),
        sa.UniqueConstraint("token_index", name=op.f("uq_reply_code_token_index")),
    )
    for table in CARRIED:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("reply_id", sa.Uuid(), nullable=True))
            batch.create_foreign_key(
                op.f(f"fk_{table}_reply_id_referral_reply"),
                "referral_reply",
                ["reply_id"],
                ["id"],
                initially="DEFERRED",
                deferrable=True,
            )


def downgrade() -> None:
    for table in reversed(CARRIED):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"fk_{table}_reply_id_referral_reply"), type_="foreignkey")
            batch.drop_column("reply_id")
    op.drop_table("reply_code")
    op.drop_index(
        "uq_referral_reply_waiting",
        table_name="referral_reply",
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.drop_index(op.f("ix_referral_reply_referral_id"), table_name="referral_reply")
    op.drop_table("referral_reply")
    op.drop_index(
        "uq_facility_code_current",
        table_name="facility_code",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("facility_code")
