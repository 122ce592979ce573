"""Indexes for what is asked of every case, sheet, message and notice once there are many of them.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXED = (
    ("access_grant", "reason_id"),
    ("administration", "roster_entry_id"),
    ("care_case", "child_id"),
    ("notice", "task_id"),
    ("outbox_message", "claim"),
    ("referral", "case_id"),
    ("referral", "drafted_at"),
    ("referral", "sent_at"),
    ("task", "case_id"),
)


def upgrade() -> None:
    for table, column in INDEXED:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table, column in reversed(INDEXED):
        op.drop_index(f"ix_{table}_{column}", table_name=table)
