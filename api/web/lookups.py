"""Names behind ids, looked up once per page. Organisations only; people are looked up by their own query, children come through a scope."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.models.organisation import Organisation


def organisation_names(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Names of the organisations behind these ids."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    return {
        row.id: row.name for row in session.scalars(select(Organisation).where(Organisation.id.in_(wanted)))
    }
