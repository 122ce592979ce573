"""Which facility a referral is drafted to, and why. Pure and deterministic: same facts, same answer.

A person may change it. Filters come first (they say why a facility is out), then the order: the child's own
district, an open slot, the shorter way, the more open slots, the id. An emergency ignores slots: the law lets
no facility refuse a person in danger (Mental Health Law art. 28).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from referral.terms import Urgency

# Farther than any ranked facility.
_UNRANKED = 1_000_000


class OutReason(StrEnum):
    """Why a facility is not considered."""

    NO_AGREEMENT = "no_agreement"  # no channel agreed, or it has ended
    AGE = "age"
    URGENCY = "urgency"
    DISTRICT = "district"
    ALREADY_ASKED = "already_asked"


# What may be borne with when nobody fits better, step by step.
_BORNE: tuple[frozenset[OutReason], ...] = (frozenset(), frozenset({OutReason.DISTRICT}))
_BORNE_IN_EMERGENCY = (
    *_BORNE,
    frozenset({OutReason.URGENCY}),
    frozenset({OutReason.URGENCY, OutReason.DISTRICT}),
)


@dataclass(frozen=True, slots=True)
class FacilityOption:
    """One facility as the register knows it.

    ``districts``: organisation paths of the areas it serves (``/city/county/``); empty means everywhere.
    ``urgencies``: what it takes; an emergency facility names ``emergency``. ``distance_rank``: 1 is the nearest
    to the child's school, None unknown. ``agreement_until``: last day of the channel agreement, None for none;
    ``open_slots``: first appointments it has opened for the coming weeks.
    """

    id: UUID
    name: str
    districts: tuple[str, ...]
    age_min: int
    age_max: int
    open_slots: int
    urgencies: frozenset[Urgency]
    agreement_until: date | None
    distance_rank: int | None = None

    def serves(self, path: str) -> bool:
        """Does it serve the area at ``path``, or one that contains it?"""
        return not self.districts or any(_within(path, district) for district in self.districts)


@dataclass(frozen=True, slots=True)
class RoutingFacts:
    """What routing needs to know. ``district``: the path of the child's county; ``refused``: not to be asked again."""

    district: str
    age: int | None
    urgency: Urgency
    today: date
    refused: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """The facility, the reason codes for it, the others in order, and who is out for which reasons.

    ``facility_id`` None: nobody can take the child, which is a service gap. ``waits``: nobody has an open slot,
    the best one is named all the same.
    """

    facility_id: UUID | None
    why: tuple[str, ...]
    runners_up: tuple[UUID, ...]
    out: tuple[tuple[UUID, tuple[OutReason, ...]], ...]
    waits: bool = False


def choose_facility(facts: RoutingFacts, options: Iterable[FacilityOption]) -> Choice:
    """The best facility for this child among the options.

    Out of district is used only when nobody in the district fits: a child is not sent away from a near clinic,
    and not left without one where the county has none. In an emergency a facility that does not name
    emergencies is better than none.
    """
    known = sorted(options, key=lambda each: str(each.id))
    found = {each.id: tuple(_out(facts, each)) for each in known}
    emergency = facts.urgency is Urgency.EMERGENCY
    ordered: list[FacilityOption] = []
    for borne in _BORNE_IN_EMERGENCY if emergency else _BORNE:
        ordered = sorted(
            (each for each in known if borne.issuperset(found[each.id])), key=lambda each: _order(facts, each)
        )
        if ordered:
            break
    out = tuple((each.id, found[each.id]) for each in known if each not in ordered)
    if not ordered:
        return Choice(None, ("no_facility",), (), out)
    best = ordered[0]
    waits = best.open_slots == 0 and not emergency
    return Choice(
        facility_id=best.id,
        why=tuple(_why(best, emergency=emergency, borne=frozenset(found[best.id]), waits=waits)),
        runners_up=tuple(each.id for each in ordered[1:]),
        out=out,
        waits=waits,
    )


def _out(facts: RoutingFacts, option: FacilityOption) -> Iterator[OutReason]:
    if option.agreement_until is None or option.agreement_until < facts.today:
        yield OutReason.NO_AGREEMENT
    # An unknown age excludes nothing: the facility says so if it does not fit.
    if facts.age is not None and not option.age_min <= facts.age <= option.age_max:
        yield OutReason.AGE
    if facts.urgency not in option.urgencies:
        yield OutReason.URGENCY
    if option.id in facts.refused:
        yield OutReason.ALREADY_ASKED
    if not option.serves(facts.district):
        yield OutReason.DISTRICT


def _order(facts: RoutingFacts, option: FacilityOption) -> tuple[bool, int, int, int, str]:
    # In an emergency nobody is passed over for being full; of two that are as near, the one with more room is asked.
    full = option.open_slots == 0 and facts.urgency is not Urgency.EMERGENCY
    # A clinic for this county before one for the whole province.
    nearness = -max((len(d) for d in option.districts if _within(facts.district, d)), default=0)
    distance = option.distance_rank if option.distance_rank is not None else _UNRANKED
    return (full, nearness, distance, -option.open_slots, str(option.id))


def _why(best: FacilityOption, *, emergency: bool, borne: frozenset[OutReason], waits: bool) -> Iterator[str]:
    yield "outside_district" if OutReason.DISTRICT in borne else "in_district"
    yield "age_fits"
    if OutReason.URGENCY in borne:
        yield "emergencies_not_named"
    if emergency:
        yield "emergency_ignores_slots"
    else:
        yield "no_open_slot" if waits else "open_slot"
    if best.distance_rank is not None:
        yield "near"


def _within(path: str, area: str) -> bool:
    """Is the place at ``path`` the area itself or inside it? ``/510/`` does not contain ``/5101/``."""
    return f"{path.rstrip('/')}/".startswith(f"{area.rstrip('/')}/")
