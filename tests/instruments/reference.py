"""A second opinion: each sheet scored by hand, one at a time, in plain Python.

Written from the published keys without looking at the engine or the library, so that a slip in either shows
as a difference. Item numbers and cut-offs are typed here again on purpose.

Every function takes ``{item key: answer or None}`` (and who answered, where it matters) and gives
``{score: number, outcome or None}``. A mean is the exact fraction: ``printed`` rounds it, ``band`` does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

Raw = Mapping[str, int | None]
Value = int | str | Fraction | None
Found = dict[str, Value]


@dataclass(frozen=True)
class Who:
    """Whose sheet it is, and in which order its items stand."""

    sex: str | None = None
    age: int | None = None
    layout: str = "standard"


ANYBODY = Who()


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


def answered(raw: Raw, numbers: Iterable[int | str]) -> list[int]:
    return [value for value in (raw.get(str(n)) for n in numbers) if value is not None]


def complete(raw: Raw, numbers: Iterable[int | str]) -> list[int] | None:
    """The answers, or None where one is missing."""
    wanted = list(numbers)
    values = answered(raw, wanted)
    return values if len(values) == len(wanted) else None


def whole(raw: Raw, numbers: Iterable[int | str]) -> int | None:
    """The sum of a scale that bears no blank."""
    values = complete(raw, numbers)
    return None if values is None else sum(values)


def mean(raw: Raw, numbers: Iterable[int | str]) -> Fraction | None:
    values = complete(raw, numbers)
    return None if values is None else Fraction(sum(values), len(values))


def count(raw: Raw, numbers: Iterable[int | str], least: int) -> int | None:
    values = complete(raw, numbers)
    return None if values is None else sum(value >= least for value in values)


def turned(raw: Raw, numbers: Iterable[int], ends: int) -> dict[str, int | None]:
    """The sheet with some items counted the other way: lowest + highest answer − answer."""
    keys = {str(n) for n in numbers}
    return {key: ends - v if v is not None and key in keys else v for key, v in raw.items()}


def printed(value: Value) -> int | float | str | None:
    return float(half_up(100 * value)) / 100 if isinstance(value, Fraction) else value


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
    straight = turned(raw, SDQ_REVERSED, 2)
    found: Found = {name: prorated(answered(straight, numbers), 5, 3) for name, numbers in SDQ.items()}

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


# --- the further sheets, each from its own fact sheet ---------------------------------------------------------

MSSMHS = {
    "obsession": (3, 10, 12, 22, 23, 48),
    "paranoia": (11, 20, 24, 26, 47, 49),
    "hostility": (19, 21, 25, 50, 52, 58),
    "interpersonal": (4, 17, 18, 45, 51, 59),
    "depression": (5, 13, 14, 16, 44, 57),
    "anxiety": (6, 15, 34, 43, 46, 56),
    "study_pressure": (31, 33, 36, 38, 40, 55),
    "maladaptation": (1, 8, 9, 29, 39, 41),
    "emotional": (2, 7, 27, 32, 35, 53),
    "imbalance": (28, 30, 37, 42, 54, 60),
    "total": range(1, 61),
}
SCARED = {
    "total": range(1, 42),
    "panic": (1, 6, 9, 12, 15, 18, 19, 22, 24, 27, 30, 34, 38),
    "gad": (5, 7, 14, 21, 23, 28, 33, 35, 37),
    "separation": (4, 8, 13, 16, 20, 25, 29, 31),
    "social": (3, 10, 26, 32, 39, 40, 41),
    "school": (2, 11, 17, 36),
}
PSC17 = {
    "standard": {
        "internalising": (2, 6, 9, 11, 15),
        "attention": (1, 3, 7, 13, 17),
        "externalising": (4, 5, 8, 10, 12, 14, 16),
    },
    "grouped": {
        "internalising": range(1, 6),
        "attention": range(6, 11),
        "externalising": range(11, 18),
    },
}
PSC35 = {
    "attention": (4, 7, 8, 9, 14),
    "internalising": (11, 13, 19, 22, 27),
    "externalising": (16, 29, 31, 32, 33, 34, 35),
}
SCL90 = {
    "somatization": (1, 4, 12, 27, 40, 42, 48, 49, 52, 53, 56, 58),
    "obsessive": (3, 9, 10, 28, 38, 45, 46, 51, 55, 65),
    "interpersonal": (6, 21, 34, 36, 37, 41, 61, 69, 73),
    "depression": (5, 14, 15, 20, 22, 26, 29, 30, 31, 32, 54, 71, 79),
    "anxiety": (2, 17, 23, 33, 39, 57, 72, 78, 80, 86),
    "hostility": (11, 24, 63, 67, 74, 81),
    "phobic": (13, 25, 47, 50, 70, 75, 82),
    "paranoid": (8, 18, 43, 68, 76, 83),
    "psychoticism": (7, 16, 35, 62, 77, 84, 85, 87, 88, 90),
    "additional": (19, 44, 59, 60, 64, 66, 89),
}
SNAP = {"inattention": range(1, 10), "hyperactivity": range(10, 19), "oppositional": range(19, 27)}
DASS = {
    "depression": (3, 5, 10, 13, 16, 17, 21),
    "anxiety": (2, 4, 7, 9, 15, 19, 20),
    "stress": (1, 6, 8, 11, 12, 14, 18),
}
MSPSS = {"family": (3, 4, 8, 11), "friends": (6, 7, 9, 12), "others": (1, 2, 5, 10), "total": range(1, 13)}
RSES_REVERSED = {"standard": (2, 5, 6, 8, 9), "chinese_1993": (3, 5, 8, 9, 10)}
SDS_REVERSED = (2, 5, 6, 11, 12, 14, 16, 17, 18, 20)
SAS_REVERSED = (5, 9, 13, 17, 19)
DSRSC_REVERSED = (1, 2, 4, 7, 8, 9, 11, 12, 13, 16)
CESD_REVERSED = (4, 8, 12, 16)


def plain_sum(n: int) -> Callable[[Raw, Who], Found]:
    return lambda raw, who: {"total": whole(raw, range(1, n + 1))}


def blanks_are_zero(raw: Raw, scales: Mapping[str, Iterable[int]], asked: Iterable[int]) -> Found:
    """Up to three blanks in the form count 0; with four nothing is scored."""
    asked = list(asked)
    unfit = len(asked) - len(answered(raw, asked)) > 3
    keys = {name: [n for n in numbers if n in asked] for name, numbers in {**scales, "total": asked}.items()}
    return {name: None if unfit else sum(answered(raw, numbers)) for name, numbers in keys.items()}


def psc17(raw: Raw, who: Who) -> Found:
    return blanks_are_zero(raw, PSC17[who.layout], range(1, 18))


def psc35_asked(who: Who) -> list[int]:
    young = who.age is not None and who.age < 6
    return [n for n in range(1, 36) if not (young and n in (5, 6, 17, 18))]


def psc35(raw: Raw, who: Who) -> Found:
    return blanks_are_zero(raw, PSC35, psc35_asked(who))


def phq15_asked(who: Who) -> list[int]:
    return [n for n in range(1, 16) if not (who.sex == "male" and n == 4)]


def phq15(raw: Raw, who: Who) -> Found:
    asked = phq15_asked(who)
    return {"total": whole(raw, asked), "n_severe": count(raw, asked, 2)}


def who5(raw: Raw, who: Who) -> Found:
    points = whole(raw, range(1, 6))
    return {"raw": points, "total": None if points is None else 4 * points}


def zung(numbers: tuple[int, ...]) -> Callable[[Raw, Who], Found]:
    def scored(raw: Raw, who: Who) -> Found:
        points = whole(turned(raw, numbers, 5), range(1, 21))
        return {"raw": points, "total": None if points is None else floor(Fraction(5, 4) * points)}

    return scored


def cssrs_path(raw: Raw) -> list[str]:
    """The questions that an interview with these answers asks, as far as it is known."""
    return [
        *("1", "2"),
        *(("3", "4", "5") if raw.get("2") != 0 else ()),
        "6",
        *(("6r",) if raw.get("6") != 0 else ()),
    ]


def cssrs(raw: Raw, who: Who) -> Found:
    # With question 2 (or 6) blank nobody knows whether those behind it were to be asked.
    if complete(raw, cssrs_path(raw)) is None:
        return {"risk": None}
    if 1 in (raw.get("4"), raw.get("5"), raw.get("6r")):
        return {"risk": "high"}
    if 1 in (raw.get("3"), raw.get("6")):
        return {"risk": "moderate"}
    return {"risk": "low" if 1 in (raw.get("1"), raw.get("2")) else "none"}


def scl90(raw: Raw, who: Who) -> Found:
    every = range(1, 91)
    found: Found = {name: mean(raw, numbers) for name, numbers in SCL90.items()}
    found |= {"total": None, "gsi": None, "n_positive": None, "n_negative": None, "psdi": None}
    values = complete(raw, every)
    if values is not None:
        total, none = sum(values), values.count(1)
        positive = 90 - none
        found |= {"total": total, "gsi": Fraction(total, 90), "n_positive": positive, "n_negative": none}
        found["psdi"] = Fraction(total - none, positive) if positive else None
    return found


def dass21(raw: Raw, who: Who) -> Found:
    found: Found = {}
    for name, numbers in DASS.items():
        points = prorated(answered(raw, numbers), 7, 6)
        found[name] = None if points is None else 2 * points
    return found


def snap(raw: Raw, who: Who) -> Found:
    found: Found = {name: whole(raw, numbers) for name, numbers in SNAP.items()}
    found |= {f"{name}_mean": mean(raw, numbers) for name, numbers in SNAP.items()}
    return found | {f"{name}_count": count(raw, numbers, 2) for name, numbers in SNAP.items()}


SCORERS: dict[str, Callable[[Raw, Who], Found]] = {
    "phq9": lambda raw, who: phq9(raw),
    "phq_a": lambda raw, who: phq_a(raw),
    "phq2": plain_sum(2),
    "gad7": lambda raw, who: gad7(raw),
    "gad2": plain_sum(2),
    "asq": lambda raw, who: asq(raw),
    "cssrs_screen": cssrs,
    "mht": lambda raw, who: mht(raw),
    "mssmhs": lambda raw, who: {name: mean(raw, numbers) for name, numbers in MSSMHS.items()},
    "scared": lambda raw, who: {name: whole(raw, numbers) for name, numbers in SCARED.items()},
    "psc17": psc17,
    "psc35": psc35,
    "sdq_s": lambda raw, who: sdq_five(raw),
    "sdq_p": lambda raw, who: sdq_five(raw),
    "sdq_t": lambda raw, who: sdq_three(raw),
    "isi": plain_sum(7),
    "who5": who5,
    "k6": plain_sum(6),
    "phq15": phq15,
    "scl90": scl90,
    "cesd": lambda raw, who: {
        "total": prorated(answered(turned(raw, CESD_REVERSED, 3), range(1, 21)), 20, 16)
    },
    "cesdc": lambda raw, who: {"total": whole(turned(raw, CESD_REVERSED, 3), range(1, 21))},
    "dsrsc": lambda raw, who: {"total": whole(turned(raw, DSRSC_REVERSED, 2), range(1, 19))},
    "smfq": plain_sum(13),
    "snap_iv_26": snap,
    "rses": lambda raw, who: {"total": whole(turned(raw, RSES_REVERSED[who.layout], 5), range(1, 11))},
    "sas_zung": zung(SAS_REVERSED),
    "sds_zung": zung(SDS_REVERSED),
    "dass21": dass21,
    "ais": plain_sum(8),
    "uls6": plain_sum(6),
    "mspss": lambda raw, who: {name: whole(raw, numbers) for name, numbers in MSPSS.items()},
}

LAYOUTS = {"psc17": ("standard", "grouped"), "rses": ("standard", "chinese_1993")}

# The scores filled from the others: (how many items, how many of them must be answered).
FILLS: dict[str, dict[str, tuple[Iterable[int], int]]] = {
    "phq9": {"total": (range(1, 10), 7)},
    "phq_a": {"total": (range(1, 10), 7)},
    "gad7": {"total": (range(1, 8), 5)},
    "cesd": {"total": (range(1, 21), 16)},
    "dass21": {name: (numbers, 6) for name, numbers in DASS.items()},
    **{key: {name: (numbers, 3) for name, numbers in SDQ.items()} for key in ("sdq_s", "sdq_p", "sdq_t")},
}
SUMS_OF_FILLED = {
    "total": ("emotion", "conduct", "hyper", "peer"),
    "internalising": ("emotion", "peer"),
    "externalising": ("conduct", "hyper"),
}


def filled(code: str, raw: Raw) -> set[str]:
    """The scores that rest on a mean put in the place of a blank."""
    found = set()
    for name, (numbers, least) in FILLS.get(code, {}).items():
        numbers = list(numbers)
        if least <= len(answered(raw, numbers)) < len(numbers):
            found.add(name)
    if code.startswith("sdq_"):
        scores = SCORERS[code](raw, ANYBODY)
        for name, parts in SUMS_OF_FILLED.items():
            if scores[name] is not None and found & set(parts):
                found.add(name)
    return found


# Where the bands of the default set begin, from the lowest up; the set shown by default and not from memory.
QUARTERS = ("average", "slightly_raised", "high", "very_high")
LOWERED = ("very_low", "low", "slightly_lowered", "average")
THIRDS = ("normal", "borderline", "abnormal")
Starts = dict[str, tuple[tuple[float, ...], tuple[str, ...]]]


def starting(at: str, *names: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
    return tuple(float(x) for x in at.split()), names


def from_(at: float, name: str = "positive") -> tuple[tuple[float, ...], tuple[str, ...]]:
    return (at,), (name,)


PHQ = starting("0 5 10 15 20", "minimal", "mild", "moderate", "moderately_severe", "severe")
MHT_SCALE = starting("0 4 8", "low", "mid", "high")
SNAP_NINE = starting("0 13 18 23", "none", "mild", "moderate", "severe")
DEGREES = ("normal", "mild", "moderate", "severe", "extreme")
BANDS: dict[str, Starts] = {
    "phq9": {"total": PHQ},
    "phq_a": {"total": PHQ},
    "phq2": {"total": starting("0 3", "negative", "positive")},
    "gad2": {"total": starting("0 3", "negative", "positive")},
    "gad7": {"total": starting("0 5 10 15", "minimal", "mild", "moderate", "severe")},
    "mht": {
        "total": from_(65, "high"),
        **dict.fromkeys((name for name in MHT if name != "validity"), MHT_SCALE),
    },
    "mssmhs": dict.fromkeys(MSSMHS, from_(2)),
    "scared": {
        "total": starting("0 25", "negative", "positive"),
        "panic": from_(7),
        "gad": from_(9),
        "separation": from_(5),
        "social": from_(8),
        "school": from_(3),
    },
    "psc17": {
        "total": from_(15),
        "internalising": from_(5),
        "attention": from_(7),
        "externalising": from_(7),
    },
    "psc35": {
        "total": from_(28),
        "internalising": from_(5),
        "attention": from_(7),
        "externalising": from_(7),
    },
    "isi": {"total": starting("0 8 15 22", "none", "subthreshold", "moderate", "severe")},
    "who5": {"total": starting("0 29 51", "very_low", "low", "ok")},
    "k6": {"total": starting("0 5 13", "low", "moderate", "serious")},
    "phq15": {"total": starting("0 5 10 15", "minimal", "mild", "moderate", "severe")},
    "scl90": {"total": from_(161), "n_positive": from_(44), **dict.fromkeys(SCL90, from_(2))},
    "cesd": {"total": starting("24 29", "any", "mdd")},
    "cesdc": {"total": starting("0 16", "negative", "positive")},
    "dsrsc": {"total": starting("0 15", "negative", "positive")},
    "smfq": {"total": starting("0 12", "negative", "positive")},
    "snap_iv_26": {
        "inattention": SNAP_NINE,
        "hyperactivity": SNAP_NINE,
        "oppositional": starting("0 8 14 19", "none", "mild", "moderate", "severe"),
    },
    "rses": {"total": starting("10 25", "low", "ok")},
    "sas_zung": {"total": starting("25 50 60 70", "normal", "mild", "moderate", "severe")},
    "sds_zung": {"total": starting("25 53 63 73", "normal", "mild", "moderate", "severe")},
    "dass21": {
        "depression": starting("0 10 14 21 28", *DEGREES),
        "anxiety": starting("0 8 10 15 20", *DEGREES),
        "stress": starting("0 15 19 26 34", *DEGREES),
    },
    "ais": {"total": starting("0 6 10", "none", "suspected", "insomnia")},
    "sdq_s": {
        "total": starting("0 15 18 20", *QUARTERS),
        "emotion": starting("0 6 7", *THIRDS),
        "conduct": starting("0 4 5", *THIRDS),
        "hyper": starting("0 6 7", *THIRDS),
        "peer": starting("0 4 6", *THIRDS),
        "prosocial": starting("0 5 6", *THIRDS[::-1]),
    },
    "sdq_p": {
        "total": starting("0 14 17 20", *QUARTERS),
        "emotion": starting("0 4 5", *THIRDS),
        "conduct": starting("0 3 4", *THIRDS),
        "hyper": starting("0 6 7", *THIRDS),
        "peer": starting("0 3 4", *THIRDS),
        "prosocial": starting("0 5 6", *THIRDS[::-1]),
    },
    "sdq_t": {
        "total": starting("0 12 16 19", *QUARTERS),
        "emotion": starting("0 4 5 6", *QUARTERS),
        "conduct": starting("0 3 4 5", *QUARTERS),
        "hyper": starting("0 6 8 9", *QUARTERS),
        "peer": starting("0 3 5 6", *QUARTERS),
        "prosocial": starting("0 4 5 6", *LOWERED),
    },
}
# The sets that are not shown by default: named ones for a place or an age, and those known from memory only.
OTHERS: dict[tuple[str, str], Starts] = {
    ("phq9", "screen_positive"): {"total": from_(10)},
    ("phq_a", "screen_positive"): {"total": from_(10)},
    ("gad7", "screen_positive"): {"total": from_(10)},
    ("gad7", "hong_kong_youth"): {"total": from_(7)},
    ("mht", "three_level"): {"total": starting("0 56 65", "normal", "tendency", "high")},
    ("mssmhs", "five_level"): dict.fromkeys(
        MSSMHS, starting("1 2 3 4 5", "none", "mild", "moderate", "heavy", "severe")
    ),
    ("scared", "chinese_urban"): {"total": from_(23)},
    ("psc35", "age_3_5"): {"total": from_(24)},
    ("psc35", "youth_self"): {"total": from_(30)},
    ("isi", "hong_kong_adolescent"): {"total": from_(9)},
    ("cesd", "standard"): {"total": starting("0 16", "negative", "positive")},
    ("cesd", "chinese_adolescent_conventional"): {"total": starting("20 24", "any", "mdd")},
    ("dsrsc", "henan_rural"): {"total": from_(14)},
    ("dsrsc", "other_sources"): {"total": from_(13)},
    ("smfq", "original_1995"): {"total": from_(8)},
    ("snap_iv_26", "five_percent_teacher"): {"inattention_mean": from_(2.56, "high")},
    ("snap_iv_26", "five_percent_parent"): {"inattention_mean": from_(1.78, "high")},
    ("ais", "hong_kong_adolescent"): {"total": from_(7)},
    ("mspss", "chinese"): {"total": starting("12 37 61", "low", "mid", "high")},
    ("sdq_s", "4band"): {
        "emotion": starting("0 5 6 7", *QUARTERS),
        "conduct": starting("0 4 5 6", *QUARTERS),
        "hyper": starting("0 6 7 8", *QUARTERS),
        "peer": starting("0 3 4 5", *QUARTERS),
        "prosocial": starting("0 5 6 7", *LOWERED),
        "impact": starting("0 1 2 3", *QUARTERS),
    },
    ("sdq_p", "4band"): {
        "emotion": starting("0 4 5 7", *QUARTERS),
        "conduct": starting("0 3 4 6", *QUARTERS),
        "hyper": starting("0 6 8 9", *QUARTERS),
        "peer": starting("0 3 4 5", *QUARTERS),
        "prosocial": starting("0 6 7 8", *LOWERED),
        "impact": starting("0 1 2 3", *QUARTERS),
    },
    ("sdq_t", "4band"): {"impact": starting("0 1 2 3", *QUARTERS)},
    ("sdq_s", "3band_1997"): {"total": starting("0 16 20", *THIRDS)},
    ("sdq_p", "3band_1997"): {"total": starting("0 14 17", *THIRDS)},
    ("sdq_t", "3band_1997"): {
        "total": starting("0 12 16", *THIRDS),
        "emotion": starting("0 5 6", *THIRDS),
        "conduct": starting("0 3 4", *THIRDS),
        "hyper": starting("0 6 7", *THIRDS),
        "peer": starting("0 4 5", *THIRDS),
        "prosocial": starting("0 5 6", *THIRDS[::-1]),
    },
}
SHOWN_SETS = {
    **{code: {"": "standard"} for code in BANDS},
    "mssmhs": {"": "screen_positive"},
    "psc35": {"total": "age_6_18", "": "standard"},
    "scl90": {"": "chinese_screen"},
    "cesd": {"": "chinese_adolescent_optimal_2016"},
    "dsrsc": {"": "chinese_urban"},
    "snap_iv_26": {"": "severity"},
    "rses": {"": "by_0_30_custom"},
    "sas_zung": {"": "chinese"},
    "sds_zung": {"": "chinese"},
    "sdq_s": {"total": "4band", "": "3band_1997"},
    "sdq_p": {"total": "4band", "": "3band_1997"},
    "sdq_t": {"": "4band"},
}


def all_bands(code: str) -> dict[tuple[str, str], tuple[tuple[float, ...], tuple[str, ...]]]:
    """(score, set) → where its bands begin and what they are called."""
    found = {}
    for score, starts in BANDS.get(code, {}).items():
        found[score, SHOWN_SETS[code].get(score, SHOWN_SETS[code][""])] = starts
    for (owner, name), others in OTHERS.items():
        found.update({(score, name): starts for score, starts in others.items() if owner == code})
    return found


NAMED = {"asq": "result", "cssrs_screen": "risk"}  # the outcome of the rule is the name of its band


def band(code: str, score: str, value: Value, who: Who = ANYBODY) -> str | None:
    """The band shown by default, by the exact value."""
    if value is None or NAMED.get(code) == score:
        return None if value is None else str(value)
    starts, names = BANDS.get(code, {}).get(score, ((), ()))
    if code == "psc35" and score == "total" and who.age is not None and who.age < 6:
        starts = (24.0,)
    below = [name for start, name in zip(starts, names, strict=True) if Fraction(value) >= start]
    return below[-1] if below else None


# (level ELEVATED from, level HIGH from) of the total.
CUTOFFS: dict[str, tuple[int, int | None]] = {
    "phq9": (10, 20),
    "phq_a": (10, 20),
    "gad7": (10, 15),
    "mht": (65, 65),
    "sdq_s": (18, 20),
    "sdq_p": (17, 20),
    "sdq_t": (16, 19),
    "phq2": (3, None),
    "gad2": (3, None),
    "mssmhs": (2, None),
    "scared": (25, None),
    "psc17": (15, None),
    "psc35": (28, None),
    "isi": (9, None),
    "k6": (13, None),
    "scl90": (161, None),
    "cesd": (24, None),
    "cesdc": (16, None),
    "dsrsc": (15, None),
    "smfq": (12, None),
    "sas_zung": (50, None),
    "sds_zung": (53, None),
    "ais": (7, None),
}


def reaches(code: str, total: Value, who: Who) -> tuple[bool, bool]:
    """Whether the total is at the screening cut-off, and at the severe floor."""
    if total is None or isinstance(total, str):
        return False, False
    if code == "who5":
        return total <= 50, False
    screens, severe = CUTOFFS.get(code, (None, None))
    if code == "psc35" and who.age is not None and who.age < 6:
        screens = 24
    return screens is not None and total >= screens, severe is not None and total >= severe


# Item → answer from which it is of the first grade, and from which of the second.
GRADED: dict[str, dict[str, tuple[tuple[str, int], ...]]] = {
    "mht": {"85": (("C", 1),), "97": (("C", 1),), "89": (("R", 1),)},
    "mssmhs": {"57": (("B", 3), ("C", 2)), "52": (("R", 4),)},
    "psc35": {"13": (("R", 2),)},
    "cssrs_screen": {
        **dict.fromkeys(("4", "5", "6r"), (("A", 1),)),
        **dict.fromkeys(("3", "6"), (("B", 1),)),
        **dict.fromkeys(("1", "2"), (("C", 1),)),
    },
    "scl90": {"15": (("B", 3), ("C", 2)), "59": (("C", 3),), "63": (("R", 4),), "16": (("R", 3),)},
    "dsrsc": {"10": (("B", 2), ("C", 1)), "5": (("R", 2),), "17": (("R", 2),)},
    "sds_zung": {"19": (("B", 3), ("C", 2))},
    "dass21": {"21": (("R", 2),)},
}


def grade(code: str, raw: Raw, who: Who = ANYBODY) -> str | None:
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
    if code == "psc17":
        grades.append("R" if raw.get({"standard": "6", "grouped": "2"}[who.layout]) == 2 else "")
    for item, steps in GRADED.get(code, {}).items():
        answer = raw.get(item)
        grades.append(next((g for g, least in steps if answer is not None and answer >= least), ""))
    return min((found for found in grades if found), default=None)


STRICT = {  # sheets on which every item has to be answered
    "phq2": 2,
    "gad2": 2,
    "mssmhs": 60,
    "scared": 41,
    "isi": 7,
    "who5": 5,
    "k6": 6,
    "scl90": 90,
    "cesdc": 20,
    "dsrsc": 18,
    "smfq": 13,
    "snap_iv_26": 26,
    "rses": 10,
    "sas_zung": 20,
    "sds_zung": 20,
    "ais": 8,
    "uls6": 6,
    "mspss": 12,
}
BEARS = {"phq9": (9, 2), "phq_a": (9, 2), "gad7": (7, 2), "cesd": (20, 4), "psc17": (17, 3)}


def is_invalid(code: str, raw: Raw, who: Who = ANYBODY) -> bool:
    """By its own validity rule, or with more missing than its own rule bears."""
    if code in STRICT:
        return complete(raw, range(1, STRICT[code] + 1)) is None
    if code in BEARS:
        n, blanks = BEARS[code]
        return len(answered(raw, range(1, n + 1))) < n - blanks
    if code == "psc35":
        return len(answered(raw, psc35_asked(who))) < len(psc35_asked(who)) - 3
    if code == "phq15":
        return complete(raw, phq15_asked(who)) is None
    if code == "cssrs_screen":
        return cssrs(raw, who)["risk"] is None
    if code == "mht":
        return len(answered(raw, range(1, 101))) < 100 or sum(answered(raw, MHT["validity"])) >= 7
    if code == "asq":
        return asq(raw)["result"] is None and len(answered(raw, (1, 2, 3, 4))) < 4
    return SCORERS[code](raw, who)["depression" if code == "dass21" else "total"] is None
