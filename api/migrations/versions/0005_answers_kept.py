"""An idempotency key keeps the answer, not the id of what was made (RL3): so every route can have one.

Keys are worth a day or two; those of the version before are thrown away with the column that they filled.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TABLE, INDEX = "idempotency_key", "ix_idempotency_key_created_at"


def upgrade() -> None:
    op.execute("DELETE FROM idempotency_key")
    with op.batch_alter_table(TABLE) as table:
        table.drop_column("subject_id")
        table.add_column(sa.Column("status", sa.Integer(), nullable=False))
        table.add_column(sa.Column("headers", JSON, nullable=False))
        table.add_column(sa.Column("answer_sealed", sa.LargeBinary(), nullable=True))
        table.create_index(INDEX, ["created_at"])


def downgrade() -> None:
    op.execute("DELETE FROM idempotency_key")
    with op.batch_alter_table(TABLE) as table:
        table.drop_index(INDEX)
        table.drop_column("answer_sealed")
        table.drop_column("headers")
        table.drop_column("status")
        table.add_column(sa.Column("subject_id", sa.Uuid(), nullable=False))
