"""What an instrument is: frozen values, read from ``library/*.yaml`` by ``catalogue``.

Nothing here holds questionnaire wording. Items and options carry short labels of our own that name a
construct; the wording comes from a pack that a district imports, and a label is never shown to a child.

Certainty: A = two independent sources were read and agree, B = one was read (or two that partly agree),
C = from memory. A fact of certainty C is never allowed to decide anything (``catalogue`` refuses the file).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Certainty(StrEnum):
    """How well a fact is known; see the module text."""

    A = "A"
    B = "B"
    C = "C"


class Grade(StrEnum):
    """How soon a person talks to the child after a critical answer.

    A at once, B the same school day, C by the end of the next school day, R a review within 10 working days.
    """

    A = "A"
    B = "B"
    C = "C"
    R = "R"


GRADES: tuple[Grade, ...] = (Grade.A, Grade.B, Grade.C, Grade.R)
"""All grades, the most urgent first."""

UNREADABLE_GRADE = Grade.C
"""The grade of a critical item that holds something, but not one of its answers (7 for "refused", "?")."""


def worst_grade(grades: Iterable[Grade]) -> Grade | None:
    """The most urgent of ``grades``, or None where there is none."""
    return min(grades, key=GRADES.index, default=None)


class ScoreKind(StrEnum):
    """How a score is built; each kind is one branch of the engine."""

    SUM = "sum"
    SUM_TIMES = "sum_times"
    MEAN = "mean"
    PRORATED_SUM = "prorated_sum"
    SUM_OF = "sum_of"
    RECODED_SUM = "recoded_sum"
    COUNT = "count"
    COUNT_EQUAL = "count_equal"
    FORMULA = "formula"
    RULE = "rule"


class Quantifier(StrEnum):
    """How many of a condition's items must hold one of its values."""

    EVERY = "every"
    ANY = "any"
    NONE = "none"


class MissingKind(StrEnum):
    """What an instrument does about unanswered items."""

    INCOMPLETE = "incomplete"
    PRORATE = "prorate"
    ZERO = "zero"
    REFUSAL_IS_POSITIVE = "refusal_is_positive"


class Sex(StrEnum):
    """As the register has it; a sheet may ask an item of one sex only."""

    MALE = "male"
    FEMALE = "female"


class Rounding(StrEnum):
    """What a formula does with what is left over."""

    HALF_UP = "half_up"
    DOWN = "down"


class Per(StrEnum):
    """What ``MissingRule.max_missing`` counts over."""

    FORM = "form"
    SCALE = "scale"


Number = int | float
"""A value as it is printed: a sum is whole, a mean has decimals."""


@dataclass(frozen=True, slots=True)
class Text:
    """A short text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: the stored value (before reversing) and a short anchor of our own."""

    value: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question. ``key`` is its number in the form, or a name for an extra item ("x3", "distres")."""

    key: str
    zh: str
    en: str
    scored: bool
    options: tuple[Option, ...]
    values: tuple[int, ...]
    part: str | None = None
    reverse: bool = False
    sensitive: bool = False
    """Death, self-harm, violence, sexuality: asked of nobody without a reason, and never the first page of a form."""
    min_grade: int | None = None
    """Years of school from which it may be asked (高一 is 10); None = from the grade of the sheet."""
    note: str | None = None

    @property
    def is_main(self) -> bool:
        """Whether it belongs to the main list, over which missing answers are counted."""
        return self.scored and self.part is None


@dataclass(frozen=True, slots=True)
class Layout:
    """An order in which the items stand on a form. Stored with each sheet: it says what "item 3" was.

    ``order``: item n of this layout is item ``order[n − 1]`` of the usual one; empty for the usual one.
    """

    id: str
    zh: str
    en: str
    order: tuple[str, ...] = ()
    how: str = "read"
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemCondition:
    """True where ``quantifier`` of ``items`` hold one of ``values``. A missing answer holds none of them."""

    quantifier: Quantifier
    items: tuple[str, ...]
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PersonCondition:
    """True for one sex, or from an age on. Of somebody whose sex or age is not known it is taken to be true:
    the item is asked, and a blank is a blank."""

    sex: Sex | None = None
    age_from: int | None = None


@dataclass(frozen=True, slots=True)
class ScoreCondition:
    """True where a score lies between ``low`` and ``high``, both included; None is open."""

    score: str
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class RuleCase:
    """One line of a rule: ``value`` where all conditions hold. The first line that holds decides."""

    value: str
    conditions: tuple[ItemCondition | ScoreCondition, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """``(of − less) × times ÷ over``, rounded to the decimals of its score. ``over`` is a number or a score; where
    that score is 0 there is no value."""

    of: str
    less: str | None = None
    times: int = 1
    over: int | str = 1
    rounding: Rounding = Rounding.HALF_UP

    @property
    def scores(self) -> tuple[str, ...]:
        """The scores it rests on."""
        named = (self.of, self.less, self.over if isinstance(self.over, str) else None)
        return tuple(name for name in named if name is not None)


@dataclass(frozen=True, slots=True)
class ScoreDefinition:
    """A total, a subscale, a mean, a count, a formula or a rule.

    ``low`` and ``high`` are the smallest and largest possible value, computed by the catalogue and compared
    with the range the file states; for a rule they are 0 and the last index of its values.
    """

    id: str
    zh: str
    en: str
    kind: ScoreKind
    items: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    low: Number = 0
    high: Number = 0
    higher_is_better: bool = False
    min_answered: int | None = None
    at_least: tuple[int, ...] = ()
    """Count only: one threshold per item of ``items``."""
    equal: int | None = None
    """Count of equal answers only."""
    factor: int = 1
    """What the sum is multiplied by."""
    decimals: int = 0
    """Decimals that are printed, rounded half up; a cut-off is compared with the unrounded value."""
    formula: Formula | None = None
    recode: tuple[tuple[int, int], ...] = ()
    zero_if: ItemCondition | None = None
    cases: tuple[RuleCase, ...] = ()

    @property
    def steps(self) -> int:
        """The engine counts in whole steps: so many make one point. A mean of n items moves in steps of 1/n."""
        if self.kind is ScoreKind.MEAN:
            return len(self.items)
        size: int = 10**self.decimals
        return size if self.kind is ScoreKind.FORMULA else 1

    def printed(self, steps: int) -> Number:
        """So many steps as the number people read: exact, and rounded half up where it has decimals."""
        if not self.decimals:
            return steps // self.steps
        size: int = 10**self.decimals
        return (2 * steps * size + self.steps) // (2 * self.steps) / size

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The values of a rule in the order of its lines, each once."""
        return tuple(dict.fromkeys(case.value for case in self.cases))


@dataclass(frozen=True, slots=True)
class MissingRule:
    """How many unanswered items a score, or the form, bears."""

    kind: MissingKind
    max_missing: int
    per: Per
    refusal: int | None
    how: str
    note: str | None


@dataclass(frozen=True, slots=True)
class ValidityRule:
    """The sheet is not interpreted when ``score`` is ``at_least`` or more."""

    score: str
    at_least: int
    action: Text
    certainty: Certainty
    how: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Conditional:
    """Items that are asked only where ``asked_if`` holds.

    Where it does not, a blank is nothing missing. An answer to an item that is not for this person (sex, age) is
    left out of the scores; one to an item that the interview should have skipped counts, and is a contradiction.
    """

    items: tuple[str, ...]
    asked_if: ItemCondition | PersonCondition


@dataclass(frozen=True, slots=True)
class Band:
    """One line of a band set: ``low`` to ``high``, both included, or the ``outcome`` of a rule.

    ``level`` 0 means no concern; levels are comparable inside one set only.
    """

    id: str
    zh: str
    en: str
    level: int
    low: Number
    high: Number
    outcome: str | None = None
    floor_high: bool = False
    """The band is a severe floor: it makes the level HIGH whatever the probability."""
    set: str = ""
    certainty: Certainty = Certainty.C


@dataclass(frozen=True, slots=True)
class BandSet:
    """The bands of one score in one named set, ordered from the low end up."""

    score: str
    set: str
    certainty: Certainty
    bands: tuple[Band, ...]
    note: str | None = None

    def find(self, value: Number | str | None) -> Band | None:
        """The band of ``value``; None for no value, or below a set that only marks its upper end.

        Of a mean the unrounded value decides, which only the engine knows: ask ``ScoreValue.band``.
        """
        if value is None:
            return None
        if isinstance(value, str):
            return next((band for band in self.bands if band.outcome == value), None)
        return next((b for b in self.bands if b.outcome is None and b.low <= value <= b.high), None)


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A published cut-off: one score, in one named band set, of certainty A or B."""

    score: str
    set: str
    value: Number
    certainty: Certainty
    higher_is_better: bool = False
    younger: Younger | None = None

    def reached(self, value: Number) -> bool:
        """Whether ``value`` is at the cut-off or on its side of concern."""
        return value <= self.value if self.higher_is_better else value >= self.value


@dataclass(frozen=True, slots=True)
class Younger:
    """Another cut-off or band set for children below an age."""

    score: str
    below: int
    set: str
    value: Number | None = None


@dataclass(frozen=True, slots=True)
class CriticalMatch:
    """One item of a critical rule and the answers that fire it; ``blank`` = also when left blank."""

    item: str
    values: tuple[int, ...]
    blank: bool


@dataclass(frozen=True, slots=True)
class CriticalRule:
    """Fires when all of ``matches`` hold, whatever total, validity or missing answers say."""

    matches: tuple[CriticalMatch, ...]
    grade: Grade
    why: Text
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class NormRow:
    """One line of a norm table: what was published of one score, for one sex and span of ages (None = all)."""

    score: str
    sex: Sex | None
    age_min: int | None
    age_max: int | None
    mean: float | None
    sd: float | None
    positive_above: Number | None
    """The value above which the source calls a child of its sample positive."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A norm sample. ``rows`` holds what was read of its table, which is often nothing."""

    population: str
    n: int | None
    year: int | None
    note: str | None
    ref: str | None
    how: str
    rows: tuple[NormRow, ...] = ()


class ReliabilityKind(StrEnum):
    """Which coefficient a study printed."""

    ALPHA = "alpha"
    RETEST = "retest"


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far a score can be trusted twice: one published coefficient, the lower end where a range was printed."""

    score: str
    kind: ReliabilityKind
    value: float
    population: str
    n: int | None
    interval: str | None
    """Between the two sheets of a retest."""
    sd: float | None
    certainty: Certainty
    ref: str


@dataclass(frozen=True, slots=True)
class Recall:
    """The window the items ask about; ``days`` None = the form sets none."""

    days: int | None
    zh: str
    en: str
    how: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Retest:
    """The shortest sensible gap between two sheets: a rule of this project, not a published one."""

    min_gap_days: int
    basis: str


@dataclass(frozen=True, slots=True)
class Loinc:
    """LOINC codes; None or empty where none is known. ``items`` may be less certain than the rest."""

    panel: str | None
    total: str | None
    items: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, int, str], ...]
    """(item key or "" for the main list, answer value, code)."""
    certainty: Certainty | None
    items_certainty: Certainty | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Licence:
    """Who holds the rights, and what may be done. ``on_screen``: wording may be shown on a screen."""

    holder: str
    status: str
    reproduce_items: str
    electronic: str
    on_screen: bool
    certainty: Certainty
    how: str
    source: str | None
    consequence: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A published study of the instrument; figures as printed."""

    population: str
    n: int | None
    alpha: str | None
    retest: str | None
    cutoff: str | None
    sensitivity: float | None
    specificity: float | None
    auc: float | None
    note: str | None
    ref: str
    how: str


@dataclass(frozen=True, slots=True)
class Source:
    """A source that was read, by a short id."""

    id: str
    what: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact comes from: ``how`` is "read" (``source`` says where) or "memory"."""

    about: str
    how: str
    source: tuple[str, ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A sheet with what it must say, in the file itself: what a district shows that its file is right.

    ``every``: one answer to all items of the main list, then ``answers``. ``expect``: a score by its id, or
    ``<score>.band``, ``<score>.status``, ``valid``, ``critical`` (item names), ``grade``.
    """

    every: int | None
    answers: tuple[tuple[str, int | None], ...]
    layout: str | None
    sex: Sex | None
    age: int | None
    expect: tuple[tuple[str, object], ...]


# Compared and hashed by identity: the engine keeps a compiled plan per instrument, and hashing three hundred
# nested values for each sheet would cost more than scoring it.
@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One form of one questionnaire in one version."""

    code: str
    version: str
    """``<schema>+<first 12 hex digits of the file's SHA-256>``."""
    tier: int
    certainty: Certainty
    name: Text
    abbr: str
    constructs: tuple[str, ...]
    informants: tuple[str, ...]
    age_min: int | None
    age_max: int | None
    grade_min: int
    grade_max: int | None
    """Years of school, both included; 0 is kindergarten, None = open."""
    grade_zh: str
    items: tuple[Item, ...]
    layouts: tuple[Layout, ...]
    default_layout: str
    responses: tuple[Option, ...]
    conditionals: tuple[Conditional, ...]
    scores: tuple[ScoreDefinition, ...]
    main_score: str
    """The score the sheet stands or falls with: ``total``, or the result of a rule."""
    missing: MissingRule | None
    validity: tuple[ValidityRule, ...]
    bands: tuple[BandSet, ...]
    default_bands: tuple[tuple[str, str], ...]
    """(score, set) to show; a set of certainty C is not shown by default."""
    younger_bands: tuple[Younger, ...]
    """Other sets to show for children below an age."""
    norms: tuple[Norm, ...]
    reliability: tuple[Reliability, ...]
    screens_at: Cutoff | None
    severe_floor: Cutoff | None
    critical: tuple[CriticalRule, ...]
    recall: Recall
    retest: Retest
    loinc: Loinc
    licence: Licence
    validation: tuple[Evidence, ...]
    references: tuple[str, ...]
    sources: tuple[Source, ...]
    provenance: tuple[Provenance, ...]
    doubts: tuple[str, ...]
    positions: dict[str, int] = field(repr=False, default_factory=dict)
    """Item key → place in ``items``."""
    examples: tuple[WorkedExample, ...] = ()
    """Worked examples in the file; those of the shipped library stand among the tests."""
    layout: str = ""
    """The layout in which the items stand here."""

    @property
    def coding(self) -> str:
        """The coding base: lowest and highest answer of the main list ("0-4", "1-5")."""
        values = [option.value for option in self.responses]
        return f"{min(values)}-{max(values)}"

    @property
    def recall_days(self) -> int | None:
        """Days the items ask about; None = no window."""
        return self.recall.days

    @property
    def retest_min_gap_days(self) -> int:
        """Shortest sensible gap in days between two sheets of one child."""
        return self.retest.min_gap_days

    @property
    def asks_about_safety(self) -> bool:
        """Whether the sheet asks about death wishes, self-harm or suicide (has an A, B or C answer)."""
        return any(rule.grade is not Grade.R for rule in self.critical)

    @property
    def asks_who(self) -> bool:
        """Whether sex or age change what is asked or which bands and cut-offs hold."""
        by_person = any(isinstance(each.asked_if, PersonCondition) for each in self.conditionals)
        by_age = self.screens_at is not None and self.screens_at.younger is not None
        return by_person or by_age or bool(self.younger_bands)

    @property
    def item_keys(self) -> tuple[str, ...]:
        """The columns of a sheet, in order."""
        return tuple(self.positions)

    @property
    def main_items(self) -> tuple[Item, ...]:
        """The scored items of the main list."""
        return tuple(item for item in self.items if item.is_main)

    def item(self, key: str) -> Item:
        """The item with this key; KeyError where there is none."""
        return self.items[self.positions[key]]

    def score(self, score_id: str) -> ScoreDefinition:
        """The definition of one score; KeyError where there is none."""
        for definition in self.scores:
            if definition.id == score_id:
                return definition
        raise KeyError(score_id)

    def band_set(self, score_id: str, set_name: str | None = None, age: int | None = None) -> BandSet | None:
        """The bands of a score in the named set, or in the set shown by default (at this age)."""
        wanted = dict(self.default_bands).get(score_id) if set_name is None else set_name
        for each in self.younger_bands if set_name is None and age is not None else ():
            if each.score == score_id and age is not None and age < each.below:
                wanted = each.set
        return next((b for b in self.bands if b.score == score_id and b.set == wanted), None)

    @property
    def band_sets(self) -> tuple[str, ...]:
        """The names of all band sets, in the order of the file."""
        return tuple(dict.fromkeys(bands.set for bands in self.bands))
