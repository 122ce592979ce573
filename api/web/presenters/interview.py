"""复评访谈记录 (F4) and 随访记录 (F8) as forms: their parts in words, what was sent as a record, a record read back.

The ten-minute first talk needs the required part of F4 only; everything here may be left out, and what is left out is
not in the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.web.forms import Form
from api.web.presenters import words
from referral.disclosure import SafetySign
from referral.models.case import Assessment
from referral.terms import Area, Term
from screening.core.i18n import translate

Choice = tuple[str, str]

RATED = (
    "mood", "anxiety", "sleep", "appetite", "energy", "attention", "peers", "bullying", "family", "caregiver",
    "study", "attendance", "net_use",
)  # fmt: skip
LINES = ("harm_to_others", "strengths", "child_wish", "agreement_why", "next")
SAFETY_LINES = ("frequency", "past_attempts", "reasons_to_live", "who_knows")
YES_NO = ("plan", "means", "self_injury")
LIMITS = {"word": 120, "line": 300, "where": 60}
MOST_MINUTES = 600


class Thoughts(Term):
    """轻生想法."""

    NEVER = "never", "从没有"
    PAST = "past", "以前有"
    NOW = "now", "现在有"


class Agreement(Term):
    """与筛查提示相比."""

    HIGHER = "higher", "比提示更重"
    SAME = "same", "相符"
    LOWER = "lower", "比提示更轻"


class HarmPlace(Term):
    """在哪里受到伤害."""

    HOME = "home", "家里"
    SCHOOL = "school", "学校"
    ONLINE = "online", "网上"


class YesNo(Term):
    YES = "yes", "是"
    NO = "no", "否"


def rated(locale: str) -> list[Choice]:
    """The thirteen things rated 0–3."""
    said = (
        translate(locale, "mood"),
        translate(locale, "worry and fear"),
        translate(locale, "sleep"),
        translate(locale, "eating"),
        translate(locale, "energy"),
        translate(locale, "attention"),
        translate(locale, "schoolmates"),
        translate(locale, "being bullied"),
        translate(locale, "family"),
        translate(locale, "who cares for the child"),
        translate(locale, "study"),
        translate(locale, "coming to school"),
        translate(locale, "time online"),
    )
    return list(zip(RATED, said, strict=True))


def rating_words(locale: str) -> list[str]:
    """What 0 to 3 stand for."""
    return [
        translate(locale, "no trouble"),
        translate(locale, "a little"),
        translate(locale, "clearly"),
        translate(locale, "very much"),
    ]


def labels(locale: str) -> dict[str, str]:
    """The names of all other parts, for the form and for reading a record."""
    return {
        "where": translate(locale, "Where"),
        "minutes": translate(locale, "Minutes"),
        "psychosis_signs": translate(
            locale, "Hears or sees what others do not, or is sure of being followed"
        ),
        "substance": translate(locale, "Alcohol, pills, drugs"),
        "thoughts": translate(locale, "Thoughts of not living"),
        "frequency": translate(locale, "How often, how strong"),
        "plan": translate(locale, "A plan"),
        "means": translate(locale, "Means at hand"),
        "intent": translate(locale, "How near to doing it, 0 to 10"),
        "past_attempts": translate(locale, "Earlier attempts: when"),
        "self_injury": translate(locale, "Hurts themself"),
        "reasons_to_live": translate(locale, "What keeps the child here"),
        "who_knows": translate(locale, "Who knows of it"),
        "harm_to_others": translate(locale, "Danger to others"),
        "being_harmed": translate(locale, "Is being harmed: where"),
        "being_harmed_words": translate(locale, "By whom, how, in the child's words"),
        "strengths": translate(locale, "What the child is good at, what holds"),
        "function": translate(locale, "How the day is managed, 0 to 10"),
        "child_wish": translate(locale, "What the child wants, and who may know"),
        "teacher": translate(locale, "What the class teacher sees"),
        "carer": translate(locale, "What the carer sees"),
        "agreement_with_screen": translate(locale, "Against the prompt of the screening"),
        "agreement_why": translate(locale, "Why"),
        "next": translate(locale, "What comes next"),
    }


# --- what was sent -----------------------------------------------------------------------------------------


def read(form: Form) -> dict[str, Any]:
    """F4 beyond its required part, as plain values under the names of the JSON interface. What is blank is absent."""
    record = {
        "where": form.text("where", limit=LIMITS["where"]),
        "minutes": form.number("minutes", 0, MOST_MINUTES),
        "ratings": {n: v for n in RATED if (v := form.number(f"rate_{n}", 0, 3)) is not None},
        "words": {n: t for n in RATED if (t := form.text(f"word_{n}", limit=LIMITS["word"]))},
        "psychosis_signs": _yes(form, "psychosis_signs"),
        "substance": _yes(form, "substance"),
        "safety": _safety(form),
        "being_harmed": [each.value for each in form.choices("being_harmed", HarmPlace)],
        "being_harmed_words": form.text("being_harmed_words", limit=LIMITS["line"]),
        "function": form.number("function", 0, 10),
        "informants": {n: t for n in ("teacher", "carer") if (t := form.text(n, limit=LIMITS["line"]))},
        "agreement_with_screen": form.choice("agreement_with_screen", Agreement),
        **{name: form.text(name, limit=LIMITS["line"]) for name in LINES},
    }
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}


def _yes(form: Form, name: str) -> bool | None:
    answer = form.choice(name, YesNo)
    return None if answer is None else answer is YesNo.YES


def _safety(form: Form) -> dict[str, Any]:
    block = {
        "thoughts": form.choice("thoughts", Thoughts),
        "intent": form.number("intent", 0, 10),
        **{name: _yes(form, f"s_{name}") for name in YES_NO},
        **{name: form.text(name, limit=LIMITS["line"]) for name in SAFETY_LINES},
    }
    return {name: value for name, value in block.items() if value not in (None, "")}


def signs_of(record: Mapping[str, Any]) -> tuple[SafetySign, ...]:
    """What the safety block says in the words that a note uses."""
    block: Mapping[str, Any] = record.get("safety", {})
    found = {
        SafetySign.THOUGHTS: block.get("thoughts") in (Thoughts.PAST, Thoughts.NOW),
        SafetySign.PLAN: block.get("plan") is True,
        SafetySign.MEANS: block.get("means") is True,
        SafetySign.SELF_INJURY: block.get("self_injury") is True,
        SafetySign.ATTEMPT: bool(block.get("past_attempts")),
    }
    return tuple(sign for sign, there in found.items() if there)


def areas_of(record: Mapping[str, Any]) -> tuple[Area, ...]:
    """Areas that two of the questions name by themselves."""
    found = {
        Area.PSYCHOSIS_SIGNS: record.get("psychosis_signs") is True,
        Area.SUBSTANCE: record.get("substance") is True,
    }
    return tuple(area for area, there in found.items() if there)


# --- a record read back ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a talk: what was asked, what was found."""

    label: str
    text: str


def lines(assessment: Assessment, locale: str) -> list[Line]:
    """Everything that was written down, in the order of the form."""
    record: dict[str, Any] = json.loads(assessment.record or "{}")
    return [Line(label or "", text) for label, text in _lines(record, labels(locale), locale) if text]


def _lines(record: dict[str, Any], named: dict[str, str], locale: str) -> Iterator[tuple[str | None, str]]:
    yield translate(locale, "Why, in a few words"), str(record.get("reason", ""))
    ratings, said = record.get("ratings", {}), record.get("words", {})
    for name, label in rated(locale):
        number = f"{ratings[name]} {rating_words(locale)[ratings[name]]}" if name in ratings else ""
        yield label, " · ".join(part for part in (number, said.get(name, "")) if part)
    safety = record.get("safety", {})
    # Before this form the found signs stood there as a list.
    for name, value in safety.items() if isinstance(safety, dict) else ():
        yield named.get(name, name), _say(name, value, locale)
    for name, value in record.get("informants", {}).items():
        yield named.get(name, name), str(value)
    for name, label in named.items():
        if name in record and name not in ("teacher", "carer"):
            yield label, _say(name, record[name], locale)


def _say(name: str, value: Any, locale: str) -> str:
    known: dict[str, type[Term]] = {
        "thoughts": Thoughts,
        "agreement_with_screen": Agreement,
        "being_harmed": HarmPlace,
    }
    if isinstance(value, bool):
        return words.word(YesNo.YES if value else YesNo.NO, locale)
    if isinstance(value, list):
        return ", ".join(_say(name, each, locale) for each in value)
    if name in known:
        return words.word(known[name](value), locale)
    return str(value)
