"""A simulated school population: made up by formulas, seeded, and never evidence about children.

It is there for three uses: tests (the truth is known), demonstrations, and asking beforehand how many judged
children a rule of learning needs. Two traits, internalising `I` and externalising `E`, make the answers; groups
and schools shift them; a liability of both and of chance makes the need for care. The numbers were chosen so that
published margins come out (tolerance 15 %, `tests/risk_model/test_cohort.py`), they were not estimated from data.

The *nominal* world is as Gaussian as the day-one model, which flatters it. So there is always a second, *stressed*
world: skewed traits, careless answers, children who deny, teachers who over-rate migrants. What holds in one world
only is not held.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation import logit
from risk_model.normal import phi, phi_inverse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

World = Literal["nominal", "stressed"]

CODES = ("phq9", "gad7", "sdq_s", "sdq_p", "sdq_t", "mht")
BATTERIES: tuple[tuple[str, ...], ...] = (
    ("phq9", "gad7"),
    ("mht",),
    ("sdq_s", "sdq_p", "sdq_t"),
    ("phq9", "gad7", "sdq_p"),
)
BATTERY_SHARES = (0.40, 0.22, 0.20, 0.18)
BANDS = ("primary", "junior", "senior")

# Graded responses: how steeply an item follows the trait, and where its answers 1, 2, 3 begin.
_PHQ_SLOPES = (1.9, 2.3, 1.5, 1.8, 1.5, 2.2, 1.6, 1.6, 2.0)
_PHQ_STEPS = (
    (0.1, 1.5, 2.2),
    (0.1, 1.5, 2.2),
    (0.2, 1.4, 2.0),
    (-0.1, 1.2, 1.9),
    (0.4, 1.6, 2.2),
    (0.5, 1.6, 2.1),
    (0.4, 1.6, 2.2),
    (1.1, 2.0, 2.6),
    (1.3, 2.1, 2.6),
)
_GAD_SLOPES = (2.2, 2.4, 2.2, 2.0, 1.8, 1.9, 2.1)
_GAD_STEPS = (
    (0.1, 1.5, 2.2),
    (0.5, 1.7, 2.3),
    (0.3, 1.6, 2.2),
    (0.6, 1.8, 2.4),
    (0.9, 2.0, 2.6),
    (0.2, 1.5, 2.1),
    (0.8, 1.8, 2.4),
)
_TRAIT_SHIFT = -0.17
_TRAITS_R = 0.45
_SCHOOL_VARIANCE = 0.025
_NEED_R2 = 0.70
# Of each questionnaire: mean, standard deviation, highest total, loading, weights of I and E in what it sees, and how
# far its right tail is drawn out.
_SCALES = {
    "sdq_s": (11.5, 5.3, 40, 0.78, 0.52, 0.48, 0.0),
    "sdq_p": (11.3, 5.2, 40, 0.60, 0.35, 0.65, 0.0),
    "sdq_t": (9.4, 5.7, 40, 0.52, 0.25, 0.75, 0.0),
    "mht": (38.0, 14.5, 90, 0.78, 1.00, 0.00, 0.2),
}


@dataclass(frozen=True, slots=True)
class Cohort:
    """`n` simulated children as columns.

    `totals`: n x 6 in the order of :data:`CODES`, NaN where the battery of the school has no such sheet or it was
    not given back; `everything`: the same as if all had answered all. `truth` is the probability of `y` given the
    traits, `y` whether the child needs care. `battery` is a position in :data:`BATTERIES`, `band` in :data:`BANDS`.
    """

    totals: Floats
    everything: Floats
    item9: Ints
    liability: Floats
    truth: Floats
    y: Ints
    school: Ints
    battery: Ints
    band: Ints
    girl: Flags
    left_behind: Flags
    migrant: Flags
    disadvantaged: Flags

    def __len__(self) -> int:
        return len(self.y)

    def take(self, chosen: NDArray[np.generic]) -> "Cohort":
        """Some of the children, by a mask or by positions."""
        return Cohort(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    @property
    def groups(self) -> dict[str, Flags]:
        """Those whose figures are always shown apart."""
        found = {"girls": self.girl, "boys": ~self.girl}
        found |= {f"band_{name}": self.band == place for place, name in enumerate(BANDS)}
        found |= {"left_behind": self.left_behind, "migrant": self.migrant}
        found |= {
            "battery_" + "+".join(codes): self.battery == place for place, codes in enumerate(BATTERIES)
        }
        return found


def simulate(
    n: int,
    *,
    seed: int,
    world: World = "nominal",
    base_rate: float = 0.10,
    schools: int = 40,
    shift: float = 0.0,
    strictness: float | None = None,
) -> Cohort:
    """`n` children in `schools` schools; the same arguments give the same children.

    `base_rate` is the share that needs care where nothing else moves. `shift`: all have that many standard
    deviations more of both traits (a county with more symptoms, so a higher rate as well). `strictness`: the rate a
    stricter or milder facility would find in an unmoved population, in place of `base_rate`. Raises ValueError for
    a population that cannot be.
    """
    rate = base_rate if strictness is None else strictness
    if n < 1 or schools < 1 or not 0.0 < rate < 1.0:
        raise ValueError("a cohort needs children, schools and a base rate between 0 and 1")
    random = np.random.default_rng(seed)
    who = _people(random, n, schools)
    internal, external = _traits(random, who, schools, world)
    internal, external = internal + shift, external + shift
    liability_mean = _liability_mean(internal, external)
    residual = sqrt(1.0 - _NEED_R2)
    liability = liability_mean + residual * random.standard_normal(n)
    threshold = _threshold(rate, world)
    truth = phi((liability_mean - threshold) / residual)
    y = (liability > threshold).astype(np.int64)
    everything, item9 = _answers(random, internal, external, n)
    if world == "stressed":
        truth = _distort(random, everything, item9, y, truth, who)
    return Cohort(
        totals=_given_back(random, everything, who),
        everything=everything,
        item9=item9,
        liability=liability,
        truth=truth,
        y=y,
        **who,
    )


def _people(random: np.random.Generator, n: int, schools: int) -> dict[str, NDArray[Any]]:
    school = np.sort(random.integers(0, schools, n))
    # Bands and batteries belong to schools: in turns for the bands, by their shares for the batteries.
    band_of = random.permutation(np.arange(schools) % len(BANDS))
    places = (np.arange(schools) + 0.5) / schools
    battery_of = random.permutation(np.searchsorted(np.cumsum(BATTERY_SHARES), places))
    left_behind = random.random(n) < 0.30
    return {
        "school": school,
        "battery": np.minimum(battery_of, len(BATTERIES) - 1)[school],
        "band": band_of[school],
        "girl": random.random(n) < 0.5,
        "left_behind": left_behind,
        "migrant": ~left_behind & (random.random(n) < 0.12),
        "disadvantaged": random.random(n) < 0.05,
    }


def _traits(
    random: np.random.Generator, who: dict[str, NDArray[Any]], schools: int, world: World
) -> tuple[Floats, Floats]:
    n = len(who["school"])
    internal = _noise(random, n, world)
    external = _TRAITS_R * internal + sqrt(1.0 - _TRAITS_R**2) * _noise(random, n, world)
    groups = 0.17 * who["left_behind"] + 0.25 * who["migrant"] + 0.25 * who["disadvantaged"]
    older = who["band"] > 0
    at_school = sqrt(_SCHOOL_VARIANCE) * random.standard_normal((2, schools))[:, who["school"]]
    internal = internal + groups + 0.22 * (who["girl"] & older) + 0.20 * older + at_school[0]
    external = external + 0.8 * groups - 0.30 * who["girl"] + at_school[1]
    return internal, external


def _noise(random: np.random.Generator, n: int, world: World) -> Floats:
    if world == "nominal":
        return random.standard_normal(n)
    # A standardised gamma: most children are well, a long tail is not.
    shape = 4.0
    return (random.standard_gamma(shape, n) - shape) / sqrt(shape)


_MEAN_SHIFT_I = 0.17 * 0.30 + 0.25 * 0.084 + 0.25 * 0.05 + 0.22 / 3 + 0.20 * 2 / 3
_MEAN_SHIFT_E = 0.8 * (0.17 * 0.30 + 0.25 * 0.084 + 0.25 * 0.05) - 0.15


def _liability_mean(internal: Floats, external: Floats) -> Floats:
    a, b = 0.60, 0.38
    scale = sqrt(a * a + b * b + 2 * a * b * _TRAITS_R)
    mixed = a * (internal - _MEAN_SHIFT_I) + b * (external - _MEAN_SHIFT_E)
    return sqrt(_NEED_R2) * mixed / scale


# Groups and schools widen the liability a little beyond 1, and the skewed one reaches farther up: so much farther out
# lies the threshold that leaves a tenth above it, found once from four million simulated children.
_WIDER = {"nominal": 1.015, "stressed": 1.048}


def _threshold(rate: float, world: World) -> float:
    return phi_inverse(1.0 - rate) * _WIDER[world]


def _answers(random: np.random.Generator, internal: Floats, external: Floats, n: int) -> tuple[Floats, Ints]:
    everything = np.empty((n, len(CODES)))
    moved = internal + _TRAIT_SHIFT
    mood = 0.94 * moved + 0.35 * random.standard_normal(n)
    worry = 0.94 * moved + 0.35 * random.standard_normal(n)
    everything[:, 0], item9 = _graded(random, mood, _PHQ_SLOPES, _PHQ_STEPS)
    everything[:, 1], _ = _graded(random, worry, _GAD_SLOPES, _GAD_STEPS)
    internal, external = internal - _MEAN_SHIFT_I, external - _MEAN_SHIFT_E
    for place, code in enumerate(CODES[2:], start=2):
        centre, spread, highest, loading, on_i, on_e, tail = _SCALES[code]
        seen = (on_i * internal + on_e * external) / sqrt(on_i**2 + on_e**2 + 2 * on_i * on_e * _TRAITS_R)
        z = loading * seen + sqrt(1.0 - loading**2) * random.standard_normal(n)
        z = (z + tail * (z * z - 1.0)) / sqrt(1.0 + 2.0 * tail**2)
        everything[:, place] = np.clip(np.rint(centre + spread * z), 0, highest)
    return everything, item9


def _graded(
    random: np.random.Generator,
    trait: Floats,
    slopes: tuple[float, ...],
    steps: tuple[tuple[float, ...], ...],
) -> tuple[Floats, Ints]:
    """The total of the items, and the last item."""
    total = np.zeros(len(trait))
    answer = np.zeros(len(trait), dtype=np.int64)
    for slope, borders in zip(slopes, steps, strict=True):
        leaning = slope * trait + random.logistic(size=len(trait))
        answer = np.sum([leaning > slope * border for border in borders], axis=0, dtype=np.int64)
        total += answer
    return total, answer


def _distort(
    random: np.random.Generator,
    everything: Floats,
    item9: Ints,
    y: Ints,
    truth: Floats,
    who: dict[str, NDArray[Any]],
) -> Floats:
    """Careless answers (6 %), denial (12 % of those in need, 3 % of the others), teachers' prejudice (3 points).

    Returns the truth anew: who denies tells something of the need by that alone.
    """
    n = len(y)
    own = [CODES.index(code) for code in ("phq9", "gad7", "sdq_s", "mht")]
    careless = random.random(n) < 0.06
    for place, items, most in ((0, 9, 3), (1, 7, 3)):
        guessed = random.integers(0, most + 1, (items, n))
        everything[careless, place] = guessed.sum(axis=0)[careless]
        if place == 0:
            item9[careless] = guessed[-1][careless]
    everything[careless, 2] = random.binomial(40, 0.5, n)[careless]
    everything[careless, 5] = random.binomial(90, 0.5, n)[careless]
    denies = ~careless & (random.random(n) < np.where(y == 1, 0.12, 0.03))
    near_nothing = random.random((n, len(own))) * np.array([4.0, 4.0, 8.0, 24.0])
    everything[np.ix_(np.flatnonzero(denies), np.array(own))] = np.floor(near_nothing)[denies]
    item9[denies] = 0
    teacher = CODES.index("sdq_t")
    everything[:, teacher] = np.minimum(everything[:, teacher] + 3.0 * who["migrant"], 40)
    ill, well = np.where(denies, 0.12, 0.88), np.where(denies, 0.03, 0.97)
    told = truth * ill / (truth * ill + (1.0 - truth) * well)
    return np.where(careless, truth, told)


def _given_back(random: np.random.Generator, everything: Floats, who: dict[str, NDArray[Any]]) -> Floats:
    asked = np.array([[code in codes for code in CODES] for codes in BATTERIES])[who["battery"]]
    n = len(everything)
    no_parent = random.random(n) < np.where(who["left_behind"], 0.50, 0.071)
    no_teacher = random.random(n) < 0.15
    asked[:, CODES.index("sdq_p")] &= ~no_parent
    asked[:, CODES.index("sdq_t")] &= ~no_teacher
    return np.where(asked, everything, np.nan)


# --- who is seen, and what comes back ----------------------------------------------------------------------

Knowledge = Literal["nothing", "some", "much"]
KNOWLEDGE: tuple[Knowledge, ...] = ("nothing", "some", "much")
# How much of what the sheets do not show a counsellor knows, in standard deviations of the liability's rest.
_KNOWS = {"nothing": 0.0, "some": 0.5, "much": 1.0}


@dataclass(frozen=True, slots=True)
class Verified:
    """Which of the children were judged. `chance`: of a random check, for those not referred."""

    concern: Ints
    referred: Flags
    attended: Flags
    checked: Flags
    chance: Floats

    @property
    def judged(self) -> Flags:
        """A finding came back."""
        return self.attended | self.checked


def verify(
    cohort: Cohort,
    probability: Floats,
    *,
    seed: int,
    knowledge: Knowledge = "some",
    referred_share: float = 0.08,
    checks: int = 280,
    answering: float = 1.0,
) -> Verified:
    """A year of referrals by people, and random checks of those they did not refer.

    The counsellor sees the probability and knows something more; the top `referred_share` and everybody whose
    answer to item 9 is 2 or 3 is referred; 65 to 75 % of them come. `checks` children of the others are drawn with
    chances that grow with what there is to learn, `sqrt(p (1 - p)) + 0.03`, and `answering` of them agree.
    """
    random = np.random.default_rng(seed)
    known = np.nan_to_num(probability, nan=0.1)
    score = logit(known)
    rest = cohort.liability - _rest_mean(score, cohort.liability)
    felt = score / 1.5 + _KNOWS[knowledge] * rest / rest.std() + 0.5 * random.standard_normal(len(cohort))
    borders = np.quantile(felt, (0.70, 0.90, 0.97))
    concern = np.searchsorted(borders, felt).astype(np.int64)
    referred = (felt >= np.quantile(felt, 1.0 - referred_share)) | (
        (cohort.item9 >= 2) & ~np.isnan(cohort.totals[:, 0])
    )
    comes = 0.65 + 0.10 * (concern >= 3)
    attended = referred & (random.random(len(cohort)) < comes)
    size = np.where(referred, 0.0, np.sqrt(known * (1.0 - known)) + 0.03)
    chance = np.minimum(checks * size / max(size.sum(), 1e-12), 1.0)
    checked = (random.random(len(cohort)) < chance) & (random.random(len(cohort)) < answering)
    return Verified(concern, referred, attended, checked, chance)


def _rest_mean(score: Floats, liability: Floats) -> Floats:
    """What the score says of the liability, by least squares: the rest is what only a person could know."""
    slope = float(np.cov(score, liability)[0, 1] / score.var())
    rest: Floats = liability.mean() + slope * (score - score.mean())
    return rest
