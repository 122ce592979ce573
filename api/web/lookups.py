"""What several pages look up beside the thing they show: names of organisations, how scores spread in view.

People are looked up by their own query, children come through a scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.web.presenters import scores
from instruments import catalogue
from instruments.change import Spread
from screening.core.actor import Actor
from screening.models.organisation import Organisation
from screening.models.result import ScreenResult
from screening.queries.results import spread_of


def organisation_names(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Names of the organisations behind these ids."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    return {
        row.id: row.name for row in session.scalars(select(Organisation).where(Organisation.id.in_(wanted)))
    }


def spreads_for(session: Session, *, actor: Actor, results: Sequence[ScreenResult]) -> dict[UUID, Spread]:
    """How main scores spread in view, by the result that has an earlier sheet to be compared with."""
    found = {}
    for newest, earlier in scores.pairs(results):
        if earlier is not None:
            name = catalogue().get(newest.administration.instrument).main_score
            spread = spread_of(session, actor=actor, administration=newest.administration, score=name)
            if spread is not None:
                found[newest.id] = spread
    return found
