"""The ladder of one task: when it rings if nobody acts, and which step of which chain that is. Reads nothing.

The numbers and the chains are the library's (``time_limits.yaml``). A task keeps its own due time, which may have
been tightened since it was opened, so the steps are counted from what is stored and not from the limit again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from referral import deadlines
from referral.deadlines import Kind, Step
from referral.terms import Custody, TaskKind
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.models.organisation import OrganisationKind

# A hotline's handover of level A or B has minutes where C has days.
HANDOVER_OF_DANGER = timedelta(hours=1)
# Danger rings on after its last step, until a person presses.
AGAIN = timedelta(minutes=10)
# Half-way reminders are for limits (T01 …). These have one and are days that were agreed long before.
_NO_REMINDER = frozenset({TaskKind.FOLLOWUP, TaskKind.PLAN_REVIEW, TaskKind.RESCREEN})
_OF_A_FACILITY = frozenset(
    {TaskKind.REFERRAL_ANSWER, TaskKind.APPOINTMENT, TaskKind.ATTENDANCE_CHECK, TaskKind.RETURN_NOTE}
)
_AREAS = frozenset({OrganisationKind.CITY, OrganisationKind.COUNTY})


def chain_of(kind: TaskKind, place: OrganisationKind, custody: Custody | None) -> str:
    """Whose chain a task climbs. A protected case never climbs through the school."""
    if kind in _OF_A_FACILITY or place is OrganisationKind.FACILITY:
        return "facility"
    if custody is Custody.PROTECTED:
        return "protected"
    return "county" if kind is TaskKind.COUNTY_ASSESSMENT or place in _AREAS else "school"


# Somebody may be in danger at this moment, and nobody has said "I take it" or "I know who it is".
DANGER = frozenset({TaskKind.CRISIS_ACKNOWLEDGE, TaskKind.WORRY_NOW})


def is_danger(kind: TaskKind, opened_at: datetime, due_at: datetime) -> bool:
    """A crisis that nobody has taken; a worry about nobody knows whom; a hotline's call of level A or B."""
    if kind is TaskKind.HANDOVER_ACKNOWLEDGE:
        return due_at - opened_at <= HANDOVER_OF_DANGER
    return kind in DANGER


@lru_cache(maxsize=4096)
def steps_of(
    kind: TaskKind, clock: str | None, chain: str, opened_at: datetime, due_at: datetime
) -> tuple[Step, ...]:
    """Every step of the ladder, in order of time.

    What is due at once, or was late when it was asked for, has no share of its time to wait for: it steps by
    minutes, as danger does.
    """
    if kind in DANGER:
        return deadlines.minute_steps(chain, opened_at)
    if due_at <= opened_at:
        return (Step(due_at, ("owner", "backup"), None), *deadlines.minute_steps(chain, opened_at))
    steps = deadlines.share_steps(chain, _counted(kind, due_at), opened_at, due_at, china())
    reminded = clock is not None and kind not in _NO_REMINDER
    return steps if reminded else tuple(step for step in steps if step.percent is None or step.percent >= 100)


def _counted(kind: TaskKind, due_at: datetime) -> Kind:
    """How the time of a task passes: what ends with a working day ends on the working clock."""
    if kind is TaskKind.SAFETY_TALK:
        return Kind.NEXT_SCHOOL_DAY_END
    if kind is TaskKind.SAME_DAY_TALK:
        return Kind.SCHOOL_DAY_END
    day = local_day(due_at)
    ends_a_day = china().is_working_day(day) and due_at == china().closing(day)
    return Kind.WORKING_DAYS if ends_a_day else Kind.SPAN


def first_ring(kind: TaskKind, clock: str | None, opened_at: datetime, due_at: datetime) -> datetime:
    """When a task rings for the first time if nobody acts. The times are the same on every chain."""
    return steps_of(kind, clock, "school", opened_at, due_at)[0].at
