"""随访记录 (F8): under two minutes, with what was written last time already there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.web.forms import Form
from api.web.presenters import words
from api.web.presenters.plan import component_name
from referral.models.followup import FollowUp
from referral.models.plan import PlanVersion
from referral.terms import ActionStatus, FollowUpChannel, FollowUpStatus, Term
from screening.core.i18n import translate

LONGEST, LINE = 1000, 300
SCALES = ("mood", "sleep", "function")
GOING_ON = frozenset({ActionStatus.PLANNED, ActionStatus.STARTED})


class SpokeWith(Term):
    """和谁谈的."""

    CHILD = "child", "学生"
    CARER = "carer", "照护人"
    TEACHER = "teacher", "教师"
    OTHER = "other", "其他人"


class Answer(Term):
    """问到安全时的回答."""

    NO_THOUGHTS = "no_thoughts", "没有轻生想法"
    THOUGHTS = "thoughts", "有轻生想法"
    REFUSED = "refused", "不愿回答"


class Progress(Term):
    """措施进展."""

    GOING = "going", "在做"
    DONE = "done", "做完了"
    STUCK = "stuck", "卡住了"


class TierSuggestion(Term):
    """对关注等级的建议. A suggestion: the tier is set by its own press."""

    SAME = "same", "不变"
    HIGHER = "higher", "建议调高"
    LOWER = "lower", "建议调低"


class Medicine(Term):
    """服药情况, only where it was told."""

    OK = "ok", "按医嘱"
    NOT_OK = "not_ok", "没有按医嘱"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of the plan that is going on."""

    component: str
    name: str


def measures(plan: PlanVersion | None, locale: str) -> list[Measure]:
    """What the form asks about: measures that are planned or begun."""
    actions = plan.actions if plan is not None else []
    return [
        Measure(each.component, component_name(each.component, locale))
        for each in actions
        if each.status in GOING_ON
    ]


def defaults(rows: Sequence[FollowUp]) -> Form:
    """What was written last time, where it is likely to be so again: how, with whom, the scales. Never the safety
    answer, and never a text: they are asked anew."""
    held = [row for row in rows if row.status is FollowUpStatus.DONE]
    last = max(held, key=lambda row: row.done_at or row.scheduled_at, default=None)
    if last is None:
        return Form()
    record: dict[str, Any] = json.loads(last.record or "{}")
    kept: dict[str, list[str]] = {"channel": [last.channel or FollowUpChannel.IN_PERSON.value]}
    for name in ("spoke_with", *SCALES, "attendance_week"):
        if record.get(name) is not None:
            kept[name] = [str(record[name])]
    return Form(kept)


def read(form: Form, plan: PlanVersion | None) -> dict[str, Any]:
    """F8 as plain values under the names of the JSON interface; what is blank is absent."""
    asked = form.raw("safety_asked")
    if asked not in ("yes", "no"):
        form.require("safety_asked", None)
    why = form.text("not_asked_why", limit=LINE)
    if asked == "no":
        form.require("not_asked_why", why)
    answer = form.choice("answer", Answer)
    if asked == "yes":
        form.require("answer", answer)
    progress = {
        each.component: value
        for each in (plan.actions if plan is not None else [])
        if (value := form.choice(f"progress_{each.component}", Progress)) is not None
    }
    record = {
        "spoke_with": form.choice("spoke_with", SpokeWith),
        "safety_asked": asked == "yes",
        "not_asked_why": why,
        "answer": answer,
        **{name: form.number(name, 0, 10) for name in SCALES},
        "attendance_week": form.number("attendance_week", 0, 7),
        "plan_progress": progress,
        "medicine": form.choice("medicine", Medicine),
        "carer_view": form.text("carer_view", limit=LINE),
        "tier_suggest": form.choice("tier_suggest", TierSuggestion),
        "next": form.text("next", limit=LINE),
        "words": form.text("record", limit=LONGEST, needed=True),
    }
    return {name: value for name, value in record.items() if value not in (None, "", {})}


def lines(row: FollowUp, locale: str) -> list[tuple[str, str]]:
    """What was written down at a contact, for whoever follows it up next."""
    record: dict[str, Any] = json.loads(row.record or "{}")
    named = labels(locale)
    said: list[tuple[str, str]] = []
    for name, value in record.items():
        if name == "plan_progress":
            said += [
                (component_name(code, locale), words.word(Progress(each), locale))
                for code, each in value.items()
            ]
        elif name in KINDS and value in set(KINDS[name]):  # by JSON an answer is a text
            said.append((named[name], words.word(KINDS[name](value), locale)))
        elif name == "safety_asked":
            answer = translate(locale, "yes") if value else translate(locale, "no")
            said.append((named[name], answer))
        else:
            said.append((named.get(name, ""), str(value)))
    return said


KINDS: dict[str, type[Term]] = {
    "spoke_with": SpokeWith,
    "answer": Answer,
    "medicine": Medicine,
    "tier_suggest": TierSuggestion,
}


def labels(locale: str) -> dict[str, str]:
    """The names of the parts."""
    return {
        "spoke_with": translate(locale, "Spoke with"),
        "safety_asked": translate(locale, "Asked about safety"),
        "not_asked_why": translate(locale, "Why it was not possible"),
        "answer": translate(locale, "The answer"),
        "mood": translate(locale, "Mood, 0 to 10"),
        "sleep": translate(locale, "Sleep, 0 to 10"),
        "function": translate(locale, "How the day is managed, 0 to 10"),
        "attendance_week": translate(locale, "Days at school this week"),
        "medicine": translate(locale, "Medicine, only if told"),
        "carer_view": translate(locale, "What the carer says"),
        "tier_suggest": translate(locale, "Tier"),
        "next": translate(locale, "What comes next"),
        "words": translate(locale, "How the child is"),
    }
