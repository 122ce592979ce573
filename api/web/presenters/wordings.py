"""Wording packs in words: what does not agree, what is in force, what waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.web.presenters import campaigns as of_campaign
from instruments import Instrument, catalogue
from instruments.text import Fault, LetterCheck, Pack, Problem, check_letters, may_show
from screening.core.i18n import translate
from screening.models.wording import WordingForm, WordingPack
from screening.queries.wordings import in_force


@dataclass(frozen=True, slots=True)
class Line:
    """One version in a list."""

    id: UUID
    name: str
    abbr: str
    language: str
    layout: str
    version: int
    state: str
    shown: bool
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """One item as it will be shown."""

    key: str
    text: str
    options: tuple[tuple[int, str], ...]


def language(code: str, locale: str) -> str:
    return translate(locale, "English") if code == "en" else translate(locale, "Chinese")


def form(value: WordingForm, locale: str) -> str:
    if value is WordingForm.FHIR:
        return translate(locale, "FHIR questionnaire")
    return translate(locale, "workbook")


def layout(instrument: Instrument | None, layout_id: str, locale: str) -> str:
    found = next((each for each in instrument.layouts if each.id == layout_id), None) if instrument else None
    return layout_id if found is None else found.en if locale == "en" else found.zh


def state(wording: WordingPack, versions: Sequence[WordingPack], locale: str) -> str:
    """Where one version stands among the others of its kind."""
    if wording.withdrawn_at is not None:
        return translate(locale, "withdrawn")
    if wording.approved_at is None:
        return translate(locale, "waits for a second person")
    if in_force(versions) is wording:
        return translate(locale, "in force")
    return translate(locale, "replaced by a newer version")


def of_one_kind(wording: WordingPack, all_of_them: Iterable[WordingPack]) -> list[WordingPack]:
    """The versions of the same questionnaire, language and layout, the newest first."""
    kind = (wording.organisation_id, wording.instrument, wording.language, wording.layout)
    found = [
        each
        for each in all_of_them
        if (each.organisation_id, each.instrument, each.language, each.layout) == kind
    ]
    return sorted(found, key=lambda each: -each.version)


def known(code: str) -> Instrument | None:
    library = catalogue()
    return library.get(code) if code in library else None


def lines(wordings: Sequence[WordingPack], locale: str) -> list[Line]:
    found = []
    for each in wordings:
        instrument = known(each.instrument)
        versions = of_one_kind(each, wordings)
        found.append(
            Line(
                id=each.id,
                name=of_campaign.name_of(instrument, locale) if instrument else each.instrument,
                abbr=instrument.abbr if instrument else each.instrument,
                language=language(each.language, locale),
                layout=layout(instrument, each.layout, locale),
                version=each.version,
                state=state(each, versions, locale),
                shown=in_force(versions) is each,
                imported_at=each.imported_at,
            )
        )
    return found


def questions(pack: Pack) -> list[Question]:
    """The items with their answers; an item with the answers of the first shows them too."""
    return [Question(item.key, item.text, item.options) for item in pack.items]


def letters(pack: Pack, locale: str) -> str:
    """What the comparison with published copies says."""
    found: LetterCheck = check_letters(pack)
    if not found.known:
        return translate(
            locale,
            "No two published copies are on record for this form: nobody has compared it to the letter.",
        )
    return translate(
        locale,
        "{count} of {all} questions agree to the letter with two published copies.",
        count=found.known - len(found.different),
        all=len(pack.items),
    )


def choices(locale: str) -> list[tuple[str, str]]:
    """The questionnaires whose wording may be kept, by name."""
    return [
        (each.code, f"{each.abbr} · {of_campaign.name_of(each, locale)}")
        for each in catalogue()
        if may_show(each)
    ]


def workbooks(locale: str) -> list[tuple[str, str, str]]:
    """(code, layout, name) of each empty workbook; the layout is named only where there are several."""
    found = []
    for each in (each for each in catalogue() if may_show(each)):
        for one in each.layouts:
            several = f" · {layout(each, one.id, locale)}" if len(each.layouts) > 1 else ""
            found.append((each.code, one.id, f"{each.abbr}{several}"))
    return found


def not_kept() -> list[str]:
    """Those whose licence lets no screen show them."""
    return [each.abbr for each in catalogue() if not may_show(each)]


def sentences(problems: Sequence[Problem], locale: str) -> list[tuple[str, str]]:
    """(place, what is wrong) of each problem, in the order of the sheet."""
    return [(place(each, locale), sentence(each, locale)) for each in problems]


def place(problem: Problem, locale: str) -> str:
    if not problem.item:
        return translate(locale, "the whole")
    return translate(locale, "item {item}", item=problem.item)


def sentence(problem: Problem, locale: str) -> str:
    return _SENTENCES[problem.fault](problem, locale)


_SENTENCES: dict[Fault, Callable[[Problem, str], str]] = {
    Fault.INSTRUMENT: lambda p, at: translate(
        at, "The file says that it is of another questionnaire ({found}); {wanted} was chosen.", **p.said
    ),
    Fault.LANGUAGE: lambda p, at: translate(
        at, "The language is not said, or not one of: {wanted}.", **p.said
    ),
    Fault.LAYOUT: lambda p, at: translate(at, "The layout is not known. Known: {wanted}.", **p.said),
    Fault.TITLE: lambda p, at: translate(at, "The title is missing."),
    Fault.MISSING_ITEM: lambda p, at: translate(at, "This question is missing."),
    Fault.UNKNOWN_ITEM: lambda p, at: translate(at, "The questionnaire has no such question."),
    Fault.ITEM_TWICE: lambda p, at: translate(at, "This question stands there twice."),
    Fault.ORDER: lambda p, at: translate(
        at, "The order differs from the form: item {wanted} belongs in this place.", **p.said
    ),
    Fault.NO_TEXT: lambda p, at: translate(at, "The wording is missing."),
    Fault.TOO_LONG: lambda p, at: translate(at, "The text is longer than {limit} characters.", **p.said),
    Fault.ODD_CHARACTER: lambda p, at: translate(
        at, "The text holds a control character or one that turns the writing direction."
    ),
    Fault.SCRIPT: lambda p, at: translate(at, "The text is not written in the language that is said."),
    Fault.SAME_TEXT: lambda p, at: translate(at, "The same text stands at item {other} as well.", **p.said),
    Fault.LABEL: lambda p, at: translate(
        at,
        "{count} texts are our short labels and not the wording; a label is never shown to a child.",
        **p.said,
    ),
    Fault.OPTIONS: lambda p, at: translate(
        at, "The answers differ from the questionnaire. They are, in this order: {wanted}.", **p.said
    ),
    Fault.NO_OPTION_TEXT: lambda p, at: translate(at, "The answer {value} has no wording.", **p.said),
    Fault.SAME_OPTION: lambda p, at: translate(at, "Two answers have the same wording."),
    Fault.LETTERS: lambda p, at: translate(at, "Differs from what two published copies agree on."),
}
