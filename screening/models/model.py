"""预测模型: the versions that have been learnt for a county, and the limits of the levels it has decided."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, reference

# Versions learnt from a county's own findings are called so; the shipped model is not.
LOCAL = "local-"
# Moved to a rate that a survey has found: nothing was learnt from children here.
MOVED = "rate-"


class ModelStatus(StrEnum):
    """A candidate is a challenger; one version of a county is in force. What was stopped or is over stays on record."""

    CANDIDATE = "candidate"
    STOPPED = "stopped"
    PUT_FORWARD = "put_forward"
    IN_FORCE = "in_force"
    ENDED = "ended"


class ModelVersion(Base):
    """Numbers learnt from a county's own findings. ``artefact`` is JSON, ``digest`` its SHA-256 as it was made.

    ``manifest``: data window, seed, number of labels and what they are worth, how the ways of fitting stood, what the
    gate found. Two people put it in force; who puts it forward does not approve. It ends on ``expires_on``.
    """

    __tablename__ = "model_version"
    __table_args__ = (
        Index(
            "uq_model_version_in_force",
            "organisation_id",
            unique=True,
            sqlite_where=text("status = 'in_force'"),
            postgresql_where=text("status = 'in_force'"),
        ),
        CheckConstraint(
            "status <> 'in_force' OR (put_by IS NOT NULL AND approved_by IS NOT NULL)", "two_people"
        ),
        CheckConstraint("approved_by IS NULL OR approved_by <> put_by", "not_alone"),
    )

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    status: Mapped[ModelStatus] = mapped_column(EnumText(ModelStatus))
    artefact: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    manifest: Mapped[dict[str, Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(Instant)
    made_by: Mapped[UUID | None]
    put_by: Mapped[UUID | None]
    put_at: Mapped[datetime | None] = mapped_column(Instant)
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_on: Mapped[date]
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by: Mapped[UUID | None]
    ended_why: Mapped[str | None] = mapped_column(String(200))
    former_id: Mapped[UUID | None] = mapped_column(reference("model_version.id"))


class ModelSetting(Base):
    """The limits of the levels and how many random checks a week, as a row per decision; the last signed one holds."""

    __tablename__ = "model_setting"
    __table_args__ = (
        UniqueConstraint("organisation_id", "version"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", "approved"),
        CheckConstraint("0 < elevated AND elevated <= high AND high < 1", "limits"),
    )

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    version: Mapped[int]
    elevated: Mapped[float]
    high: Mapped[float]
    checks_per_week: Mapped[int]
    set_by: Mapped[UUID]
    set_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
