"""Model versions with their two signatures, limits of the levels, checks by lot, and a person's own impression.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "check_draw",
        sa.Column("county_id", sa.Uuid(), nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("shares", JSON, nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["county_id"],
            ["organisation.id"],
            name=op.f("fk_check_draw_county_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_draw")),
        sa.UniqueConstraint("county_id", "week_on", name=op.f("uq_check_draw_county_id_week_on")),
    )
    op.create_table(
        "model_setting",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("elevated", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("checks_per_week", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_model_setting_approved")
        ),
        sa.CheckConstraint(
            "0 < elevated AND elevated <= high AND high < 1", name=op.f("ck_model_setting_limits")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_model_setting_organisation_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_setting")),
        sa.UniqueConstraint(
            "organisation_id", "version", name=op.f("uq_model_setting_organisation_id_version")
        ),
    )
    op.create_table(
        "model_version",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("manifest", JSON, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("put_by", sa.Uuid(), nullable=True),
        sa.Column("put_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_why", sa.String(length=200), nullable=True),
        sa.Column("former_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status <> 'in_force' OR (put_by IS NOT NULL AND approved_by IS NOT NULL)",
            name=op.f("ck_model_version_two_people"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> put_by", name=op.f("ck_model_version_not_alone")
        ),
        sa.ForeignKeyConstraint(
            ["former_id"],
            ["model_version.id"],
            name=op.f("fk_model_version_former_id_model_version"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_model_version_organisation_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("name", name=op.f("uq_model_version_name")),
    )
    op.create_index(
        op.f("ix_model_version_organisation_id"), "model_version", ["organisation_id"], unique=False
    )
    op.create_index(
        "uq_model_version_in_force",
        "model_version",
        ["organisation_id"],
        unique=True,
        sqlite_where=sa.text("status = 'in_force'"),
        postgresql_where=sa.text("status = 'in_force'"),
    )
    op.create_table(
        "concern",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("value IS NULL OR (0 <= value AND value <= 3)", name=op.f("ck_concern_value")),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["care_case.id"],
            name=op.f("fk_concern_case_id_care_case"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["child.id"],
            name=op.f("fk_concern_child_id_child"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"],
            ["account.id"],
            name=op.f("fk_concern_recorded_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concern")),
        sa.UniqueConstraint("case_id", "recorded_by", name=op.f("uq_concern_case_id_recorded_by")),
    )
    op.create_index("ix_concern_child", "concern", ["child_id", "recorded_at"], unique=False)
    op.create_table(
        "random_check",
        sa.Column("draw_id", sa.Uuid(), nullable=False),
        sa.Column("county_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("chance", sa.Double(), nullable=False),
        sa.Column("finding", sa.String(length=40), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column("method", sa.String(length=80), nullable=True),
        sa.Column("blinded", sa.Boolean(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(finding IS NULL) = (recorded_at IS NULL)", name=op.f("ck_random_check_recorded")
        ),
        sa.CheckConstraint("0 < chance AND chance <= 1", name=op.f("ck_random_check_chance")),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["child.id"],
            name=op.f("fk_random_check_child_id_child"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["county_id"],
            ["organisation.id"],
            name=op.f("fk_random_check_county_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["draw_id"],
            ["check_draw.id"],
            name=op.f("fk_random_check_draw_id_check_draw"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"],
            ["account.id"],
            name=op.f("fk_random_check_recorded_by_account"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["screen_result.id"],
            name=op.f("fk_random_check_result_id_screen_result"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["organisation.id"],
            name=op.f("fk_random_check_school_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_random_check")),
        sa.UniqueConstraint("child_id", name=op.f("uq_random_check_child_id")),
        sa.UniqueConstraint("draw_id", "school_id", name=op.f("uq_random_check_draw_id_school_id")),
    )
    op.create_index(op.f("ix_random_check_county_id"), "random_check", ["county_id"], unique=False)


def downgrade() -> None:
    # Lines and views that only the newer release can read or end.
    op.execute(
        "DELETE FROM notice WHERE task_id IN (SELECT id FROM task WHERE kind IN ('random_check', 'model_alarm'))"
    )
    op.execute(
        "DELETE FROM task_ring WHERE task_id IN (SELECT id FROM task WHERE kind IN ('random_check', 'model_alarm'))"
    )
    op.execute("DELETE FROM task WHERE kind IN ('random_check', 'model_alarm')")
    op.execute(
        "UPDATE access_grant SET ended_at = CURRENT_TIMESTAMP"
        " WHERE ended_at IS NULL AND reason_id IN (SELECT id FROM random_check)"
    )
    op.drop_index(op.f("ix_random_check_county_id"), table_name="random_check")
    op.drop_table("random_check")
    op.drop_index("ix_concern_child", table_name="concern")
    op.drop_table("concern")
    op.drop_index(
        "uq_model_version_in_force",
        table_name="model_version",
        sqlite_where=sa.text("status = 'in_force'"),
        postgresql_where=sa.text("status = 'in_force'"),
    )
    op.drop_index(op.f("ix_model_version_organisation_id"), table_name="model_version")
    op.drop_table("model_version")
    op.drop_table("model_setting")
    op.drop_table("check_draw")
