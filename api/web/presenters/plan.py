"""A plan version in words: each action with the rule that chose it and the facts that fired the rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from api.web.presenters import words
from referral.models.plan import PlanAction, PlanVersion
from referral.planning import fact_words, intervention_menu, plan_rules
from referral.planning.library import Words
from referral.terms import ActionStatus, Area, PlanStatus
from screening.core.i18n import translate

UNDER_REVIEW = frozenset({PlanStatus.REVIEW_DUE})


@dataclass(frozen=True, slots=True)
class ActionLine:
    """One action. ``rule`` is its id, ``sentence`` what the rule says, ``facts`` why it fired."""

    component: str
    name: str
    who: str
    dose: str
    review: str
    review_on: date | None
    status: str
    proposed: bool
    rule: str
    sentence: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanView:
    """The current version. ``draft``: nobody has confirmed it."""

    number: int
    status: str
    draft: bool
    review_due: bool
    assumed_tier: str | None
    areas: tuple[str, ...]
    actions: tuple[ActionLine, ...]
    parked: tuple[ActionLine, ...]
    dropped: tuple[ActionLine, ...]
    gaps: tuple[str, ...]
    review_on: date | None


def view(plan: PlanVersion | None, locale: str) -> PlanView | None:
    """The plan of a case, if there is one."""
    if plan is None:
        return None
    lines = [(action.status, _line(action, locale)) for action in plan.actions]
    aside = (ActionStatus.PARKED, ActionStatus.DROPPED)
    return PlanView(
        number=plan.number,
        status=words.word(plan.status, locale),
        draft=plan.status is PlanStatus.DRAFTED,
        review_due=plan.status in UNDER_REVIEW,
        assumed_tier=words.word(plan.assumed_tier, locale) if plan.confirmed_at is None else None,
        areas=tuple(words.word(Area(area), locale) for area in plan.areas),
        actions=tuple(line for status, line in lines if status not in aside),
        parked=tuple(line for status, line in lines if status is ActionStatus.PARKED),
        dropped=tuple(line for status, line in lines if status is ActionStatus.DROPPED),
        gaps=tuple(_gaps(plan.basis, locale)),
        review_on=plan.review_on,
    )


def _line(action: PlanAction, locale: str) -> ActionLine:
    component = intervention_menu().get(action.component)
    rule = plan_rules().rules.get(action.rule)
    return ActionLine(
        component=action.component,
        name=component_name(action.component, locale),
        who=_say(component.by, locale) if component else action.who,
        dose=_say(component.dose, locale) if component else "",
        review=_say(component.review, locale) if component else "",
        review_on=action.review_on,
        status=words.word(action.status, locale),
        proposed=action.status is ActionStatus.PROPOSED,
        rule=action.rule,
        sentence=_say(rule.sentence, locale) if rule else "",
        facts=tuple(fact_words(reason, locale) for reason in action.because),
    )


def component_name(code: str, locale: str) -> str:
    """What a measure is called; its code where the library no longer has it."""
    component = intervention_menu().get(code)
    return _say(component.name, locale) if component else code


def _gaps(basis: Mapping[str, Any], locale: str) -> list[str]:
    found = []
    for gap in basis.get("gaps", ()):
        name = component_name(str(gap["component"]), locale)
        found.append(translate(locale, "{name}: nobody here can offer it at present.", name=name))
    return found


def _say(text: Words, locale: str) -> str:
    return text.in_locale(locale)
