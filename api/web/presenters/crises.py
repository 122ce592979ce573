"""Open crises as a list: who, where, who has it, what is still missing. Only for those who handle crises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.web.presenters import dates, words
from referral.queries.crises import Card
from referral.terms import CrisisStep
from screening.core.i18n import translate

# What has to be written down before anybody can stand it down, in the order of the clocks.
NEEDED = (
    CrisisStep.CHILD_SAFE,
    CrisisStep.GUARDIAN_REACHED,
    CrisisStep.PROFESSIONAL_REACHED,
    CrisisStep.HANDED_OVER,
)


@dataclass(frozen=True, slots=True)
class Buttons:
    """What a person may do about an episode, as the shared part of the page asks for it."""

    crisis: bool
    stand_down: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One episode nobody has stood down."""

    id: UUID
    number: str
    name: str
    taken_by: str
    since: str
    opened_at: datetime
    missing: str


def rows(cards: Sequence[Card], names: Mapping[UUID, str], now: datetime, locale: str) -> list[Row]:
    """In the order of the query."""
    return [_row(card, names, now, locale) for card in cards]


def _row(card: Card, names: Mapping[UUID, str], now: datetime, locale: str) -> Row:
    episode = card.episode
    done = {record.step for record in episode.steps}
    missing = [words.word(step, locale) for step in NEEDED if step not in done]
    minutes = int((now - episode.opened_at).total_seconds() // 60)
    return Row(
        id=episode.id,
        number=episode.episode_no,
        name=card.child.name,
        taken_by=names.get(episode.taken_by, "") if episode.taken_by else "",
        since=dates.length(max(1, minutes), locale),
        opened_at=episode.opened_at,
        missing=translate(locale, ", ").join(missing),
    )
