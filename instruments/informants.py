"""The three SDQ sheets of one child side by side. Pure.

What two people see differs more often than not; a difference is information and says nothing about who is right. Of
the published predictive algorithm only the branch of hyperactivity is here, the one that was read in two independent
sources (sdqinfo's scoring syntax; ``library/sdq_*.yaml`` names the certainty). Its conduct, emotion and overall
branches have not been verified and are not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from instruments.definition import Certainty, Instrument, ScoreKind

SHEETS = {"self": "sdq_s", "parent": "sdq_p", "teacher": "sdq_t"}
"""Informant → the form made for them, in the order in which they stand side by side."""

Numbers = Mapping[str, int | None]
"""Score id → value of one sheet; None or absent where it could not be scored."""


class Likelihood(IntEnum):
    """What the algorithm says. Never a finding: it only says where to look more closely."""

    UNLIKELY = 0
    POSSIBLE = 1
    PROBABLE = 2


# (hyperactivity at least, impact at least, then), applied in this order: the last that holds stands.
_BY_INFORMANT: dict[str, tuple[tuple[int, int, Likelihood], ...]] = {
    "parent": (
        (0, 0, Likelihood.UNLIKELY),
        (6, 1, Likelihood.POSSIBLE),
        (7, 2, Likelihood.PROBABLE),
        (9, 1, Likelihood.PROBABLE),
    ),
    "self": ((0, 0, Likelihood.UNLIKELY), (6, 1, Likelihood.POSSIBLE), (7, 2, Likelihood.PROBABLE)),
    "teacher": ((0, 0, Likelihood.UNLIKELY), (6, 1, Likelihood.POSSIBLE), (7, 2, Likelihood.PROBABLE)),
}


@dataclass(frozen=True, slots=True)
class ScaleLine:
    """One scale in the order of ``SHEETS``: value and name of the band of each informant, None where there is none.

    ``apart``: one of them is in the lowest band of concern and another in the highest.
    """

    score: str
    zh: str
    en: str
    values: tuple[int | None, ...]
    bands: tuple[str | None, ...]
    apart: bool


@dataclass(frozen=True, slots=True)
class SideBySide:
    """All scales, and what the verified branch says of attention and restlessness (None: no sheet says enough)."""

    informants: tuple[str, ...]
    lines: tuple[ScaleLine, ...]
    hyperactivity: Likelihood | None


def side_by_side(library: Mapping[str, Instrument], sheets: Mapping[str, Numbers]) -> SideBySide | None:
    """The sheets of one child by informant; None with fewer than two. ``library``: the SDQ forms by code."""
    told = tuple(informant for informant in SHEETS if informant in sheets)
    if len(told) < 2:
        return None
    forms = {informant: library[SHEETS[informant]] for informant in told}
    known = {score.id for form in forms.values() for score in form.scores if score.kind is not ScoreKind.RULE}
    first = forms[told[0]]
    return SideBySide(
        informants=told,
        lines=tuple(
            _line(score.id, score.zh, score.en, forms, sheets) for score in first.scores if score.id in known
        ),
        hyperactivity=hyperactivity(sheets),
    )


def _line(
    score: str, zh: str, en: str, forms: Mapping[str, Instrument], sheets: Mapping[str, Numbers]
) -> ScaleLine:
    values = tuple(sheets[informant].get(score) for informant in forms)
    places = [_place(form, score, value) for form, value in zip(forms.values(), values, strict=True)]
    levels = [place[1] for place in places if place is not None]
    return ScaleLine(
        score=score,
        zh=zh,
        en=en,
        values=values,
        bands=tuple(place[0] if place is not None else None for place in places),
        apart=bool(levels) and min(levels) == 0 and max(levels) == 1,
    )


def _place(form: Instrument, score: str, value: int | None) -> tuple[str, float] | None:
    """The band of a value, and how far up it stands in its set: 0 is no concern, 1 the highest band.

    Sets of certainty C decide nothing, not even what is called a difference.
    """
    bands = form.band_set(score)
    if bands is None or bands.certainty is Certainty.C or value is None:
        return None
    band = bands.find(value)
    highest = max(each.level for each in bands.bands)
    return (band.id, band.level / highest) if band is not None and highest else None


def hyperactivity(sheets: Mapping[str, Numbers]) -> Likelihood | None:
    """The verified branch: parent (or the child where no parent speaks) and teacher together."""
    by = {informant: _one(informant, sheets.get(informant, {})) for informant in SHEETS}
    home = by["parent"] if by["parent"] is not None else by["self"]
    school = by["teacher"]
    if home is None and by["self"] is None and school is None:
        return None
    return _together(home, school)


def _one(informant: str, numbers: Numbers) -> Likelihood | None:
    hyper, impact = numbers.get("hyper"), numbers.get("impact")
    if hyper is None or impact is None:
        return None
    held = [said for low, least, said in _BY_INFORMANT[informant] if hyper >= low and impact >= least]
    return held[-1] if held else None


def _together(home: Likelihood | None, school: Likelihood | None) -> Likelihood:
    """One says probable: possible. Both say possible, or the only one does: possible. Probable at home and at least
    possible at school: probable."""
    if home is Likelihood.PROBABLE and school in (Likelihood.POSSIBLE, Likelihood.PROBABLE):
        return Likelihood.PROBABLE
    if Likelihood.PROBABLE in (home, school):
        return Likelihood.POSSIBLE
    if Likelihood.POSSIBLE not in (home, school):
        return Likelihood.UNLIKELY
    other = school if home is Likelihood.POSSIBLE else home
    return Likelihood.POSSIBLE if other in (None, Likelihood.POSSIBLE) else Likelihood.UNLIKELY
