"""Questionnaires: short labels of our own, never the wording."""

from __future__ import annotations

from typing import Self

from api.v1.schemas.common import Answer
from instruments import Instrument, Item


class Words(Answer):
    zh: str
    en: str


class OptionOut(Answer):
    value: int
    label: Words


class ItemOut(Answer):
    key: str
    label: Words
    scored: bool
    options: list[OptionOut]

    @classmethod
    def of(cls, item: Item) -> Self:
        return cls(
            key=item.key,
            label=Words(zh=item.zh, en=item.en),
            scored=item.scored,
            options=[OptionOut(value=o.value, label=Words(zh=o.zh, en=o.en)) for o in item.options],
        )


class LicenceOut(Answer):
    holder: str
    status: str
    on_screen: bool


class CutoffOut(Answer):
    """The published cut-off from which a result is at least elevated."""

    score: str
    set: str
    value: int | float


class InstrumentOut(Answer):
    code: str
    version: str
    name: Words
    abbr: str
    informants: list[str]
    age_min: int | None
    age_max: int | None
    items: list[ItemOut]
    asks_about_safety: bool
    licence: LicenceOut
    screens_at: CutoffOut | None

    @classmethod
    def of(cls, instrument: Instrument) -> Self:
        licence, cutoff = instrument.licence, instrument.screens_at
        return cls(
            code=instrument.code,
            version=instrument.version,
            name=Words(zh=instrument.name.zh, en=instrument.name.en),
            abbr=instrument.abbr,
            informants=list(instrument.informants),
            age_min=instrument.age_min,
            age_max=instrument.age_max,
            items=[ItemOut.of(item) for item in instrument.items],
            asks_about_safety=instrument.asks_about_safety,
            licence=LicenceOut(holder=licence.holder, status=licence.status, on_screen=licence.on_screen),
            screens_at=CutoffOut(score=cutoff.score, set=cutoff.set, value=cutoff.value) if cutoff else None,
        )
