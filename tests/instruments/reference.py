"""A second opinion: each sheet scored by hand, one at a time, in plain Python.

Written from the published keys without looking at the engine or the library, so that a slip in either shows
as a difference. Item numbers and cut-offs are typed here again on purpose.

Every function takes ``{item key: answer or None}`` and gives ``{score: number, outcome or None}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import floor

Raw = Mapping[str, int | None]
Found = dict[str, int | str | None]


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


def answered(raw: Raw, numbers: Iterable[int | str]) -> list[int]:
    return [value for value in (raw.get(str(n)) for n in numbers) if value is not None]


def prorated(values: list[int], n: int, least: int) -> int | None:
    return half_up(n * Fraction(sum(values), len(values))) if len(values) >= least else None


def phq_total(raw: Raw) -> int | None:
    return prorated(answered(raw, range(1, 10)), 9, 7)


def phq9(raw: Raw) -> Found:
    core, symptoms, syndrome = None, None, None
    if len(answered(raw, (1, 2))) == 2:
        core = sum(value >= 2 for value in answered(raw, (1, 2)))
    if len(answered(raw, range(1, 10))) == 9:
        symptoms = sum(value >= 2 for value in answered(raw, range(1, 9))) + (answered(raw, (9,))[0] >= 1)
    if core is not None and symptoms is not None:
        syndrome = "none"
        if core and 2 <= symptoms <= 4:
            syndrome = "other"
        if core and symptoms >= 5:
            syndrome = "major"
    return {"total": phq_total(raw), "n_core": core, "n_symptoms": symptoms, "syndrome": syndrome}


def phq_a(raw: Raw) -> Found:
    return {"total": phq_total(raw)}


def gad7(raw: Raw) -> Found:
    return {"total": prorated(answered(raw, range(1, 8)), 7, 5)}


def asq(raw: Raw) -> Found:
    first_four = [raw.get(str(n)) for n in (1, 2, 3, 4)]
    if any(value in (1, -1) for value in first_four):
        return {"result": "acute_positive" if raw.get("5") == 1 else "non_acute_positive"}
    if all(value == 0 for value in first_four) and raw.get("5") not in (1, -1):
        return {"result": "negative"}
    return {"result": None}


MHT = {
    "study_anxiety": range(1, 16),
    "social_anxiety": range(16, 26),
    "loneliness": range(26, 36),
    "self_blame": range(36, 46),
    "sensitivity": range(46, 56),
    "somatic": range(56, 71),
    "phobia": range(71, 81),
    "impulsive": (81, 83, 85, 87, 89, 91, 93, 95, 97, 99),
    "validity": (82, 84, 86, 88, 90, 92, 94, 96, 98, 100),
}


def mht(raw: Raw) -> Found:
    found: Found = {}
    for name, numbers in MHT.items():
        values = answered(raw, numbers)
        found[name] = sum(values) if len(values) == len(numbers) else None
    of_ninety = [n for name, numbers in MHT.items() if name != "validity" for n in numbers]
    values = answered(raw, of_ninety)
    found["total"] = sum(values) if len(values) == 90 else None
    return found


SDQ = {
    "emotion": (3, 8, 13, 16, 24),
    "conduct": (5, 7, 12, 18, 22),
    "hyper": (2, 10, 15, 21, 25),
    "peer": (6, 11, 14, 19, 23),
    "prosocial": (1, 4, 9, 17, 20),
}
SDQ_REVERSED = (7, 11, 14, 21, 25)


def sdq(raw: Raw, impact_items: tuple[str, ...]) -> Found:
    turned = {
        key: 2 - value if value is not None and key in map(str, SDQ_REVERSED) else value
        for key, value in raw.items()
    }
    found: Found = {name: prorated(answered(turned, numbers), 5, 3) for name, numbers in SDQ.items()}

    def add(*names: str) -> int | None:
        parts = [found[name] for name in names]
        return None if None in parts else sum(part for part in parts if isinstance(part, int))

    found["total"] = add("emotion", "conduct", "hyper", "peer")
    found["internalising"] = add("emotion", "peer")
    found["externalising"] = add("conduct", "hyper")
    impact = answered(raw, impact_items)
    found["impact"] = sum({0: 0, 1: 0, 2: 1, 3: 2}[value] for value in impact) if impact else None
    if raw.get("ebddiff") == 0:
        found["impact"] = 0
    return found


def sdq_five(raw: Raw) -> Found:
    return sdq(raw, ("distres", "imphome", "impfrie", "impclas", "impleis"))


def sdq_three(raw: Raw) -> Found:
    return sdq(raw, ("distres", "impfrie", "impclas"))


SCORERS: dict[str, Callable[[Raw], Found]] = {
    "phq9": phq9,
    "phq_a": phq_a,
    "gad7": gad7,
    "asq": asq,
    "mht": mht,
    "sdq_s": sdq_five,
    "sdq_p": sdq_five,
    "sdq_t": sdq_three,
}

# (level ELEVATED from, level HIGH from) of the total.
CUTOFFS = {
    "phq9": (10, 20),
    "phq_a": (10, 20),
    "gad7": (10, 15),
    "mht": (65, 65),
    "sdq_s": (18, 20),
    "sdq_p": (17, 20),
    "sdq_t": (16, 19),
}


def grade(code: str, raw: Raw) -> str | None:
    """The worst grade of a sheet, from the table of critical answers."""
    if all(value is None for value in raw.values()):
        return None
    grades = []
    if code in ("phq9", "phq_a"):
        grades.append({None: "C", 0: "", 1: "C", 2: "B", 3: "B"}[raw.get("9")])
    if code == "phq_a":
        extra = [raw.get("x3"), raw.get("x4")].count(1)
        grades.append(("", "C", "B")[extra])
    if code == "asq":
        grades.append({1: "A", -1: "B"}.get(raw.get("5") or 0, ""))
        grades += ["B" for n in "1234" if raw.get(n) in (1, -1)]
    if code == "mht":
        grades += ["C" for n in ("85", "97") if raw.get(n) == 1]
        grades += ["R" for n in ("89",) if raw.get(n) == 1]
    return min((found for found in grades if found), default=None)


def is_invalid(code: str, raw: Raw) -> bool:
    """By its own validity rule, or with more missing than its own rule bears."""
    if code in ("phq9", "phq_a", "gad7"):
        n = 7 if code == "gad7" else 9
        return len(answered(raw, range(1, n + 1))) < n - 2
    if code == "mht":
        return len(answered(raw, range(1, 101))) < 100 or sum(answered(raw, MHT["validity"])) >= 7
    if code == "asq":
        return asq(raw)["result"] is None and len(answered(raw, (1, 2, 3, 4))) < 4
    return SCORERS[code](raw)["total"] is None
