"""The menu of help and the rules, read from ``referral/library`` and checked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from referral.planning.facts import PlanFacts
from referral.terms import (
    Area,
    ContextFact,
    FollowUpTemplate,
    HarmAnswer,
    SafetyFact,
    Sign,
    TaskKind,
    Term,
    Tier,
    Urgency,
)
from screening.core.actor import Role

REFERRAL_COMPONENT = "c-R01"
UNANSWERED = "unanswered"


class PlanLibraryError(ValueError):
    """Menu or rules contradict themselves; names the component or rule and the field."""


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages."""

    zh: str
    en: str

    def in_locale(self, locale: str) -> str:
        return self.en if locale == "en" else self.zh


# --- The menu --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Component:
    """One row of the intervention library; the fields are explained at the head of ``interventions.yaml``.

    ``areas`` empty means all areas, ``tiers`` empty means that the tier does not matter.
    """

    code: str
    name: Words
    kind: str
    areas: frozenset[Area]
    also: Words | None
    tiers: frozenset[Tier]
    ages: tuple[int, int] | None
    counts_for: str
    role: Role
    by: Words
    needs_skill: bool
    consent: str | None
    dose: Words
    review: Words
    review_days: int | None
    grade: str
    source: Words
    certainty: str

    def fits_tier(self, tier: Tier) -> bool:
        return not self.tiers or tier in self.tiers

    def fits_age(self, age: int | None) -> bool:
        """An unknown age excludes nothing."""
        return self.ages is None or age is None or self.ages[0] <= age <= self.ages[1]


Menu = Mapping[str, Component]

KINDS = frozenset(
    {
        "universal",
        "education",
        "individual",
        "group",
        "sandplay",
        "family",
        "observation",
        "pairing",
        "lifestyle",
        "academic",
        "protection",
        "safety",
        "referral",
        "school_support",
        "guardianship",
        "relief",
        "outreach",
        "grief",
    }
)
CERTAINTIES = frozenset({"law", "public_copy", "local_practice", "unconfirmed", "default"})


@cache
def intervention_menu() -> Menu:
    """The shipped menu, by code, in the order of the file."""
    return read_menu(_load("interventions.yaml"))


def read_menu(raw: Mapping[str, Any]) -> Menu:
    """A menu as frozen values; raises ``PlanLibraryError`` naming component and field."""
    components = [_component(row) for row in raw["components"]]
    menu = {each.code: each for each in components}
    if len(menu) != len(components):
        raise PlanLibraryError("components: a code stands twice")
    return menu


def _component(row: Mapping[str, Any]) -> Component:
    code = str(row["code"])
    for name, allowed in (
        ("kind", KINDS),
        ("certainty", CERTAINTIES),
        ("counts_for", {"child", "carer", "none"}),
    ):
        if row[name] not in allowed:
            raise PlanLibraryError(f"{code}: {name} {row[name]} is unknown")
    ages = row["ages"]
    return Component(
        code=code,
        name=_words(row),
        kind=row["kind"],
        areas=frozenset() if row["areas"] == ["all"] else frozenset(Area(area) for area in row["areas"]),
        also=_words(row["also"]) if "also" in row else None,
        tiers=frozenset(Tier(tier) for tier in row["tiers"]),
        ages=(ages["min"], ages["max"]) if ages else None,
        counts_for=row["counts_for"],
        role=Role(row["by"]["role"]),
        by=_words(row["by"]),
        needs_skill=row["needs_skill"],
        consent=row["consent"],
        dose=_words(row["dose"]),
        review=_words(row["review"]),
        review_days=row["review"]["days"],
        grade=row["grade"],
        source=_words(row["source"]),
        certainty=row["certainty"],
    )


# --- Conditions ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """Facts a rule asks for. Every non-empty field must hold, each through any one of its words."""

    tiers: frozenset[Tier] = frozenset()
    areas: frozenset[Area] = frozenset()
    signs: frozenset[Sign] = frozenset()
    context: frozenset[ContextFact] = frozenset()
    safety: frozenset[SafetyFact] = frozenset()
    harm: frozenset[str] = frozenset()
    age_from: int | None = None
    age_below: int | None = None
    severe: bool = False
    group: str | None = None
    any_of: tuple[Condition, ...] = ()

    def why(self, facts: PlanFacts, *, group_fills_from: int) -> tuple[str, ...] | None:
        """The facts that make it hold, as ``kind:word``; None when it does not hold."""
        reasons: list[str] = []
        for found in (
            *self._word_lists(facts),
            self._age(facts),
            self._severe(facts),
            self._group(facts, group_fills_from),
            self._any(facts, group_fills_from),
        ):
            if found is None:
                return None
            reasons.extend(found)
        return tuple(dict.fromkeys(reasons))

    def _word_lists(self, facts: PlanFacts) -> Iterable[list[str] | None]:
        harm = facts.harm_answer.value if facts.harm_answer else UNANSWERED
        # Before an assessment the tier is an assumption of the draft, and is shown as one.
        yield _matched("tier" if facts.interview_done else "assumed_tier", self.tiers, {facts.working_tier})
        yield _matched("area", self.areas, {found.area for found in facts.areas})
        yield _matched("sign", self.signs, facts.signs)
        yield _matched("context", self.context, facts.context)
        yield _matched("safety", self.safety, facts.safety)
        yield _matched("harm", self.harm, {harm})

    def _age(self, facts: PlanFacts) -> list[str] | None:
        if self.age_from is None and self.age_below is None:
            return []
        if facts.age is None or facts.age < (self.age_from or 0):
            return None
        if self.age_below is not None and facts.age >= self.age_below:
            return None
        return [f"age:{facts.age}"]

    def _severe(self, facts: PlanFacts) -> list[str] | None:
        if not self.severe:
            return []
        return ["severe"] if facts.severe else None

    def _group(self, facts: PlanFacts, fills_from: int) -> list[str] | None:
        if self.group is None:
            return []
        if self.group in facts.groups_running or facts.similar_pupils >= fills_from:
            return [f"group:{self.group}"]
        return None

    def _any(self, facts: PlanFacts, fills_from: int) -> list[str] | None:
        if not self.any_of:
            return []
        held = [each.why(facts, group_fills_from=fills_from) for each in self.any_of]
        reasons = [reason for found in held if found is not None for reason in found]
        return reasons if any(found is not None for found in held) else None


def _matched(kind: str, asked: Iterable[str], known: Iterable[str]) -> list[str] | None:
    """The asked words that are known, sorted; an empty question holds, an unmatched one does not."""
    wanted = set(asked)
    found = sorted(str(word) for word in wanted & set(known))
    return [f"{kind}:{word}" for word in found] if found or not wanted else None


_FIELDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "tiers": lambda raw: {"tiers": frozenset(Tier(each) for each in raw)},
    "areas": lambda raw: {"areas": frozenset(Area(each) for each in raw)},
    "signs": lambda raw: {"signs": frozenset(Sign(each) for each in raw)},
    "context": lambda raw: {"context": frozenset(ContextFact(each) for each in raw)},
    "safety": lambda raw: {"safety": frozenset(SafetyFact(each) for each in raw)},
    "harm": lambda raw: {
        "harm": frozenset(UNANSWERED if w == UNANSWERED else HarmAnswer(w).value for w in raw)
    },
    "age": lambda raw: {"age_from": raw.get("from"), "age_below": raw.get("below")},
    "severe": lambda raw: {"severe": bool(raw)},
    "group": lambda raw: {"group": str(raw)},
    "any": lambda raw: {"any_of": tuple(_condition("any", each) for each in raw)},
}


def _condition(where: str, raw: Mapping[str, Any]) -> Condition:
    fields: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in _FIELDS:
            raise PlanLibraryError(f"{where}: {key} is no word for a condition")
        fields |= _FIELDS[key](value)
    if not fields:
        raise PlanLibraryError(f"{where}: an empty condition would always hold")
    return Condition(**fields)


# --- The rules -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a rule: the first of these components that can be had."""

    options: tuple[str, ...]
    when: Condition | None = None
    unless: Condition | None = None
    wished: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its sentence. ``when`` is None for the rules that are arithmetic on the draft."""

    id: str
    sentence: Words
    when: Condition | None
    then: tuple[Choice, ...] = ()
    referral: Urgency | None = None
    referral_offered: Urgency | None = None
    follow_up: FollowUpTemplate | None = None
    tasks: tuple[TaskKind, ...] = ()
    tasks_when: tuple[tuple[TaskKind, Condition], ...] = ()
    advice: tuple[str, ...] = ()
    never_kinds: frozenset[str] = frozenset()
    never_components: frozenset[str] = frozenset()
    not_family: Condition | None = None
    off_note: bool = False

    @property
    def priority(self) -> str:
        """S, A, C, D, L or Q."""
        return self.id[2]


@dataclass(frozen=True, slots=True)
class PlanRules:
    """All rules in order, and the numbers they use."""

    rules: Mapping[str, Rule]
    caps: Mapping[str, int]
    urgent_from: float
    group_fills_from: int
    treatment_by_talk: frozenset[str]
    instead_of_talk: tuple[str, ...]
    held_until_harm_is_known: frozenset[str]
    held_while_harm_is_unclear: frozenset[str]
    family_kinds: frozenset[str]
    never_dropped: frozenset[str]
    advice: Mapping[str, Words]
    facts: Mapping[str, Words]


@cache
def plan_rules() -> PlanRules:
    """The shipped rules, checked against the shipped menu."""
    return read_rules(_load("plan_rules.yaml"), intervention_menu())


def read_rules(raw: Mapping[str, Any], menu: Menu) -> PlanRules:
    """Rules as frozen values; raises ``PlanLibraryError`` naming the rule that asks for what does not exist."""
    rules = PlanRules(
        rules={rule_id: _rule(rule_id, row) for rule_id, row in raw["rules"].items()},
        caps=dict(raw["caps"]),
        urgent_from=float(raw["urgent_from"]),
        group_fills_from=int(raw["group_fills_from"]),
        treatment_by_talk=frozenset(raw["treatment_by_talk"]),
        instead_of_talk=tuple(raw["instead_of_talk"]),
        held_until_harm_is_known=frozenset(raw["held_until_harm_is_known"]),
        held_while_harm_is_unclear=frozenset(raw["held_while_harm_is_unclear"]),
        family_kinds=frozenset(raw["family_kinds"]),
        never_dropped=frozenset(raw["never_dropped"]),
        advice={code: _words(each) for code, each in raw["advice"].items()},
        facts={code: _words(each) for code, each in raw["facts"].items()},
    )
    for rule in rules.rules.values():
        _check_rule(rule, rules, menu)
    _known("instead_of_talk", {*rules.instead_of_talk, *rules.treatment_by_talk}, menu)
    kinds = rules.held_until_harm_is_known | rules.held_while_harm_is_unclear | rules.family_kinds
    _known("kinds", kinds | rules.never_dropped, KINDS)
    return rules


def _check_rule(rule: Rule, rules: PlanRules, menu: Menu) -> None:
    _known(rule.id, {code for choice in rule.then for code in choice.options}, menu)
    _known(rule.id, rule.never_components, menu)
    _known(rule.id, rule.never_kinds, KINDS)
    _known(rule.id, rule.advice, rules.advice)
    if rule.priority not in "SACDLQ":
        raise PlanLibraryError(f"{rule.id}: the letter says S, A, C, D, L or Q")
    if rule.priority in "LQ" and rule.when is not None:
        raise PlanLibraryError(f"{rule.id}: an arithmetic rule has no condition")
    # Circumstances choose help; they may not push a child to a hospital.
    refers = rule.referral or rule.referral_offered or any(REFERRAL_COMPONENT in c.options for c in rule.then)
    if rule.priority == "C" and refers:
        raise PlanLibraryError(f"{rule.id}: a context rule must not refer")


def _known(where: str, asked: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise PlanLibraryError(f"{where}: unknown {', '.join(unknown)}")


def _rule(rule_id: str, row: Mapping[str, Any]) -> Rule:
    never = row.get("never", {})
    when, not_family = row.get("when"), row.get("not_family")
    return Rule(
        id=rule_id,
        sentence=_words(row),
        when=_condition(rule_id, when) if when else None,
        then=tuple(_choice(rule_id, each) for each in row.get("then", [])),
        referral=Urgency(row["referral"]) if "referral" in row else None,
        referral_offered=Urgency(row["referral_offered"]) if "referral_offered" in row else None,
        follow_up=FollowUpTemplate(row["follow_up"]) if "follow_up" in row else None,
        tasks=tuple(TaskKind(task) for task in row.get("tasks", [])),
        tasks_when=tuple(
            (TaskKind(each["task"]), _condition(rule_id, each["when"])) for each in row.get("tasks_when", [])
        ),
        advice=tuple(row.get("advice", [])),
        never_kinds=frozenset(never.get("kinds", [])),
        never_components=frozenset(never.get("components", [])),
        not_family=_condition(rule_id, not_family) if not_family else None,
        off_note=bool(row.get("off_note", False)),
    )


def _choice(rule_id: str, raw: str | Mapping[str, Any]) -> Choice:
    if isinstance(raw, str):
        return Choice((raw,))
    when, unless = raw.get("when"), raw.get("unless")
    return Choice(
        options=tuple(raw["first_of"]),
        when=_condition(rule_id, when) if when else None,
        unless=_condition(rule_id, unless) if unless else None,
        wished=bool(raw.get("wished", False)),
    )


# --- Words -----------------------------------------------------------------------------------------------

_TERMS: dict[str, type[Term]] = {
    "tier": Tier,
    "assumed_tier": Tier,
    "area": Area,
    "sign": Sign,
    "context": ContextFact,
    "safety": SafetyFact,
    "harm": HarmAnswer,
}
# Neutral words of the glossary for levels: a result is a prompt, never a finding.
_SPECIAL = {
    "high": Words("优先约谈", "see first"),
    "crisis_item": Words("今日面谈", "talk today"),
    UNANSWERED: Words("尚未回答", "not answered yet"),
}


def fact_words(reason: str, locale: str, rules: PlanRules | None = None) -> str:
    """A fact that fired a rule (``area:mood``), in words: ``领域：情绪低落`` or ``area: mood``."""
    kind, _, word = reason.partition(":")
    head = (rules or plan_rules()).facts[kind].in_locale(locale)
    if not word:
        return head
    english = locale == "en"
    if word in _SPECIAL:
        said = _SPECIAL[word].in_locale(locale)
    elif kind in _TERMS:
        term = _TERMS[kind](word)
        said = term.value.replace("_", " ") if english else term.zh
    elif kind in ("group", "wished"):
        said = intervention_menu()[word].name.in_locale(locale)
    else:
        said = word
    return f"{head}: {said}" if english else f"{head}：{said}"


def _words(raw: Mapping[str, Any]) -> Words:
    if not raw["zh"] or not raw["en"]:
        raise PlanLibraryError("a sentence is missing in one language")
    return Words(str(raw["zh"]), str(raw["en"]))


def _load(name: str) -> Mapping[str, Any]:
    raw = yaml.safe_load((files("referral") / "library" / name).read_text(encoding="utf-8"))
    if not isinstance(raw, Mapping):
        raise PlanLibraryError(f"{name}: a mapping is needed")
    return raw
