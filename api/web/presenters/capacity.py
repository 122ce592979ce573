"""A week of talks in words: the order, and what is left undone.

No estimate stands beside a name: whoever is going to talk with a child says first how worried they are themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from api.web.presenters import words
from instruments import Grade
from referral.queries.capacity import Planned
from risk_model.capacity import Waiting, Week
from screening.core.i18n import translate

_GRADES = (Grade.A, Grade.B, Grade.C)


@dataclass(frozen=True, slots=True)
class Line:
    """One child in the queue."""

    href: str
    name: str
    class_name: str
    level: str
    days: int


def lines(planned: Planned, queue: Sequence[Waiting], today: date, locale: str) -> list[Line]:
    """The queue as it stands."""
    found = []
    for each in queue:
        child, task = planned.children[each.child], planned.tasks[each.child]
        grade = None if each.grade is None else _GRADES[each.grade]
        found.append(
            Line(
                href=f"/cases/{task.case_id}" if task.case_id else f"/tasks/{task.id}",
                name=child.name,
                class_name=words.class_of(child.enrolment, today, locale),
                level=words.level(each.level, grade, locale),
                days=each.days,
            )
        )
    return found


def missed(week: Week, locale: str) -> str:
    """How many of the unseen are expected to need help."""
    if not week.unseen:
        return translate(locale, "Everybody who waits is reached this week.")
    return translate(
        locale,
        "{unseen} children are not reached this week; of them {low} to {high} are expected to need help beyond the school.",
        unseen=len(week.unseen),
        low=int(week.missed_low),
        high=max(int(week.missed_high + 0.999), 1),
    )


def groups(week: Week, locale: str) -> list[tuple[str, int, int, str]]:
    """How the week falls on groups of ten or more; groups never order anybody."""
    said = {
        "sex:female": translate(locale, "girls"),
        "sex:male": translate(locale, "boys"),
        "left_behind": translate(locale, "left-behind children"),
        "migrant": translate(locale, "migrant children"),
        "disadvantaged": translate(locale, "children in hardship"),
    }
    return [
        (said[name], share.waiting, share.seen, f"{share.missed:.0f}")
        for name, share in week.groups.items()
        if name in said
    ]
