"""Wording packs of a district; what a campaign asks of which grades, and who signed that it asks about no danger.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
PEOPLE = ("imported_by", "approved_by", "withdrawn_by")


def upgrade() -> None:
    op.create_table(
        "wording_pack",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("instrument", sa.String(length=20), nullable=False),
        sa.Column("instrument_version", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("layout", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_why", sa.String(length=200), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_wording_pack_approved")
        ),
        sa.CheckConstraint(
            "(withdrawn_by IS NULL) = (withdrawn_at IS NULL)", name=op.f("ck_wording_pack_withdrawn")
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> imported_by", name=op.f("ck_wording_pack_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_wording_pack_organisation_id_organisation"),
            initially="DEFERRED",
            deferrable=True,
        ),
        *(
            sa.ForeignKeyConstraint(
                [column],
                ["account.id"],
                name=op.f(f"fk_wording_pack_{column}_account"),
                initially="DEFERRED",
                deferrable=True,
            )
            for column in PEOPLE
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wording_pack")),
        sa.UniqueConstraint(
            "organisation_id",
            "instrument",
            "language",
            "layout",
            "version",
            name="uq_wording_pack_version",
        ),
    )
    op.create_index("ix_wording_pack_instrument", "wording_pack", ["organisation_id", "instrument"])
    op.add_column("campaign", sa.Column("grades", Json, nullable=True))
    op.add_column("campaign", sa.Column("informants", Json, nullable=True))
    op.add_column("campaign", sa.Column("without_safety_by", sa.Uuid(), nullable=True))
    op.add_column("campaign", sa.Column("without_safety_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in ("without_safety_at", "without_safety_by", "informants", "grades"):
        op.drop_column("campaign", column)
    op.drop_index("ix_wording_pack_instrument", table_name="wording_pack")
    op.drop_table("wording_pack")
