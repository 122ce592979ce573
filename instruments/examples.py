"""The worked examples that a file carries: scored, and compared with what they must say."""

from __future__ import annotations

from dataclasses import dataclass

from instruments.answers import AnswerErrors, AnswerSheet
from instruments.definition import Instrument, WorkedExample
from instruments.layouts import UnknownLayout
from instruments.scoring import Scores, score
from instruments.validity import SheetConditions, Validity


@dataclass(frozen=True, slots=True)
class Said:
    """One thing an example expects, and what the sheet says."""

    name: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether the two are the same."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of one example. ``problem``: why it could not be scored at all."""

    number: int
    said: tuple[Said, ...]
    problem: str | None = None

    @property
    def holds(self) -> bool:
        """Whether everything it expects is what the sheet says."""
        return self.problem is None and all(each.holds for each in self.said)


def run_examples(instrument: Instrument) -> tuple[ExampleResult, ...]:
    """The examples of the file in order."""
    return tuple(_run(instrument, n, each) for n, each in enumerate(instrument.examples, start=1))


def _run(instrument: Instrument, number: int, example: WorkedExample) -> ExampleResult:
    raw: dict[str, object] = {}
    if example.every is not None:
        raw = {item.key: example.every for item in instrument.main_items}
    raw.update(example.answers)
    try:
        sheet = AnswerSheet.parse(instrument, raw, layout=example.layout)
    except (AnswerErrors, UnknownLayout) as error:
        return ExampleResult(number, (), str(error))
    scores = score(instrument, sheet, SheetConditions(sex=example.sex, age=example.age))
    unknown = [name for name, _ in example.expect if not _is_known(scores, name)]
    if unknown:
        return ExampleResult(number, (), f"nothing is called {', '.join(unknown)}")
    return ExampleResult(
        number, tuple(Said(name, _plain(value), _found(scores, name)) for name, value in example.expect)
    )


def _is_known(scores: Scores, name: str) -> bool:
    score_id = name.removesuffix(".band").removesuffix(".status")
    return name in ("valid", "critical", "grade") or score_id in scores.values


def _plain(value: object) -> object:
    return tuple(str(each) for each in value) if isinstance(value, list) else value


def _found(scores: Scores, name: str) -> object:
    if name == "valid":
        return scores.validity is not Validity.INVALID
    if name == "critical":
        return tuple(each.item for each in scores.critical if each.answer is not None)
    if name == "grade":
        return scores.grade.value if scores.grade else None
    if name.endswith(".band"):
        band = scores.values[name.removesuffix(".band")].band
        return band.id if band else None
    if name.endswith(".status"):
        return scores.values[name.removesuffix(".status")].status
    return scores.values[name].value
