"""A crisis is stood down by two people whose names stand in it, with the day of the meeting (domain guide §3.9).

``report_needed`` is the parallel flag of a mandatory report: somebody has said that there is one to make.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = "crisis_episode"
PEOPLE = ("proposed_by", "stood_down_by")


def upgrade() -> None:
    for name in PEOPLE:
        op.add_column(TABLE, sa.Column(name, sa.Uuid(), nullable=True))
    op.add_column(TABLE, sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(TABLE, sa.Column("review_meeting_on", sa.Date(), nullable=True))
    op.add_column(TABLE, sa.Column("report_needed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in ("report_needed", "review_meeting_on", "proposed_at", *reversed(PEOPLE)):
        op.drop_column(TABLE, name)
