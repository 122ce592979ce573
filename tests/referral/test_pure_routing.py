"""Which facility: district, age, open slots; the emergency; the same answer every time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.routing import FacilityOption, OutReason, RoutingFacts, choose_facility
from referral.terms import Urgency

TODAY = date(2026, 3, 4)
CHILD = RoutingFacts(district="/510/5101/", age=13, urgency=Urgency.URGENT, today=TODAY)
EVERYTHING = frozenset(Urgency)


def clinic(number: int, **changes: object) -> FacilityOption:
    option = FacilityOption(
        id=UUID(int=number),
        name=f"clinic {number}",
        districts=("/510/5101/",),
        age_min=6,
        age_max=18,
        open_slots=3,
        urgencies=EVERYTHING,
        agreement_until=date(2026, 12, 31),
    )
    return replace(option, **changes)


def test_the_clinic_of_the_childs_own_county_is_chosen() -> None:
    choice = choose_facility(CHILD, [clinic(1, districts=("/510/5102/",)), clinic(2)])
    assert choice.facility_id == UUID(int=2)
    assert choice.why == ("in_district", "age_fits", "open_slot")
    assert choice.out == ((UUID(int=1), (OutReason.DISTRICT,)),)


def test_the_clinic_with_more_open_slots_comes_first() -> None:
    choice = choose_facility(
        CHILD, [clinic(1, open_slots=1), clinic(2, open_slots=5), clinic(3, open_slots=2)]
    )
    assert choice.facility_id == UUID(int=2)
    assert choice.runners_up == (UUID(int=3), UUID(int=1))


def test_a_full_clinic_comes_after_an_open_one_however_near() -> None:
    choice = choose_facility(CHILD, [clinic(1, open_slots=0, distance_rank=1), clinic(2, distance_rank=9)])
    assert choice.facility_id == UUID(int=2)


def test_the_nearer_of_two_open_clinics_is_chosen() -> None:
    choice = choose_facility(CHILD, [clinic(1, distance_rank=2), clinic(2, distance_rank=1), clinic(3)])
    assert choice.facility_id == UUID(int=2)
    assert choice.why[-1] == "near"


def test_a_county_clinic_comes_before_one_for_the_whole_city() -> None:
    choice = choose_facility(CHILD, [clinic(1, districts=("/510/",), open_slots=9), clinic(2, open_slots=1)])
    assert choice.facility_id == UUID(int=2)


def test_where_everybody_is_full_the_best_is_named_and_the_child_waits() -> None:
    choice = choose_facility(CHILD, [clinic(1, open_slots=0)])
    assert choice.facility_id == UUID(int=1)
    assert choice.waits
    assert "no_open_slot" in choice.why


def test_an_emergency_ignores_slots() -> None:
    child = replace(CHILD, urgency=Urgency.EMERGENCY)
    choice = choose_facility(child, [clinic(1, open_slots=0, distance_rank=1), clinic(2, distance_rank=2)])
    assert choice.facility_id == UUID(int=1)
    assert not choice.waits
    assert "emergency_ignores_slots" in choice.why


def test_in_an_emergency_a_clinic_that_names_none_is_better_than_none() -> None:
    routine_only = clinic(1, urgencies=frozenset({Urgency.ROUTINE}))
    assert choose_facility(CHILD, [routine_only]).facility_id is None
    choice = choose_facility(replace(CHILD, urgency=Urgency.EMERGENCY), [routine_only])
    assert choice.facility_id == UUID(int=1)
    assert "emergencies_not_named" in choice.why


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"age_min": 14}, OutReason.AGE),
        ({"age_max": 12}, OutReason.AGE),
        ({"urgencies": frozenset({Urgency.ROUTINE})}, OutReason.URGENCY),
        ({"agreement_until": None}, OutReason.NO_AGREEMENT),
        ({"agreement_until": date(2026, 3, 3)}, OutReason.NO_AGREEMENT),
    ],
)
def test_a_clinic_that_cannot_take_the_child_is_out_with_its_reason(
    changes: dict[str, object], reason: OutReason
) -> None:
    choice = choose_facility(CHILD, [clinic(1, **changes)])
    assert choice.facility_id is None
    assert choice.why == ("no_facility",)
    assert choice.out == ((UUID(int=1), (reason,)),)


def test_the_last_day_of_an_agreement_and_the_edges_of_age_still_count() -> None:
    exact = clinic(1, agreement_until=TODAY, age_min=13, age_max=13)
    assert choose_facility(CHILD, [exact]).facility_id == UUID(int=1)


def test_a_clinic_that_declined_is_not_asked_again() -> None:
    child = replace(CHILD, refused=frozenset({UUID(int=1)}))
    choice = choose_facility(child, [clinic(1), clinic(2, open_slots=0)])
    assert choice.facility_id == UUID(int=2)
    assert choice.out == ((UUID(int=1), (OutReason.ALREADY_ASKED,)),)


def test_without_a_clinic_in_the_county_the_next_county_is_asked_and_it_is_said() -> None:
    choice = choose_facility(CHILD, [clinic(1, districts=("/510/5102/",))])
    assert choice.facility_id == UUID(int=1)
    assert choice.why[0] == "outside_district"


def test_a_district_code_is_not_a_prefix_of_another() -> None:
    assert not clinic(1, districts=("/510/51",)).serves("/510/5101/")
    assert clinic(1, districts=("/510",)).serves("/510/5101/")
    assert clinic(1, districts=()).serves("/anywhere/")


def test_an_unknown_age_excludes_nobody() -> None:
    assert choose_facility(replace(CHILD, age=None), [clinic(1, age_min=14)]).facility_id == UUID(int=1)


@given(
    slots=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    seed=st.integers(0, 99),
    urgency=st.sampled_from(list(Urgency)),
)
def test_the_order_in_which_facilities_are_listed_changes_nothing(
    slots: list[int], seed: int, urgency: Urgency
) -> None:
    options = [clinic(n, open_slots=open_slots) for n, open_slots in enumerate(slots)]
    shuffled = options.copy()
    Random(seed).shuffle(shuffled)
    child = replace(CHILD, urgency=urgency)
    first = choose_facility(child, options)
    assert first == choose_facility(child, shuffled)
    assert len({first.facility_id, *first.runners_up}) == len(options)
