"""A paper sheet on the screen: numbered items with the digits allowed, and what to do once it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.web.forms import FieldError, Form
from instruments import AnswerError, Grade, Instrument, Item
from instruments.text import Pack
from screening.core.i18n import translate

# Grades after which somebody talks with the child; R is a review of its own.
TALKS = frozenset({Grade.A, Grade.B, Grade.C})
# More answers than fit side by side on a telephone are typed into a field.
MOST_BUTTONS = 6
NOT_ALLOWED = "Item {item}: this answer is not allowed. Allowed: {allowed}. Look at the paper again."
NO_ITEM = "Item {item} is not part of this questionnaire."


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed answer; ``words`` only where the digit alone says nothing."""

    value: int
    words: str


@dataclass(frozen=True, slots=True)
class ItemView:
    """One line of the sheet. ``label`` is the wording of a pack in force, else our own short word, and empty where the
    licence keeps items off screens."""

    key: str
    name: str
    label: str
    choices: tuple[Choice, ...]
    buttons: bool
    extra: bool


def items(instrument: Instrument, locale: str, wording: Pack | None = None) -> list[ItemView]:
    """The lines in the order of the paper. ``wording``: the pack in force, if there is one that may be shown."""
    return [_item(each, instrument, locale, wording) for each in instrument.items]


def _item(item: Item, instrument: Instrument, locale: str, wording: Pack | None) -> ItemView:
    label = (item.en if locale == "en" else item.zh) if instrument.licence.on_screen else ""
    said = {each.value: (each.en if locale == "en" else each.zh) for each in item.options if each.value < 0}
    text = wording.item(item.key) if wording else None
    if text is not None and wording is not None:
        label = text.text
        if text.options != wording.shared_options:
            said = dict(text.options)
    values = sorted(item.values, key=lambda value: (value < 0, value))
    return ItemView(
        key=item.key,
        name=f"a_{item.key}",
        label=label,
        choices=tuple(Choice(value, said.get(value, "")) for value in values),
        buttons=len(values) <= MOST_BUTTONS,
        extra=not item.scored,
    )


def legend(instrument: Instrument, locale: str, wording: Pack | None = None) -> list[tuple[int, str]]:
    """What the digits stand for, where the licence lets it be shown."""
    if not instrument.licence.on_screen:
        return []
    if wording is not None:
        return list(wording.shared_options)
    return [(each.value, each.en if locale == "en" else each.zh) for each in instrument.responses]


def answers(instrument: Instrument, form: Form) -> dict[str, object]:
    """Answers by item key as they were sent; a blank is a blank."""
    return {item.key: form.raw(f"a_{item.key}").strip() or None for item in instrument.items}


def mark_errors(form: Form, errors: Sequence[AnswerError]) -> None:
    """A sentence beside each item that cannot be stored."""
    for error in errors:
        allowed = ", ".join(map(str, error.allowed or ()))
        form.errors[f"a_{error.item}"] = (
            FieldError(NOT_ALLOWED, {"item": error.item, "allowed": allowed})
            if allowed
            else FieldError(NO_ITEM, {"item": error.item})
        )


def instruction(grade: Grade | None, locale: str) -> str:
    """What whoever holds the sheet does now. Nothing of the score, and the same words for every child (A03)."""
    match grade:
        case Grade.A:
            return translate(
                locale,
                "Stay with the child now and do not leave the child alone. Call the duty person at once.",
            )
        case Grade.B:
            return translate(
                locale,
                "Tell the counsellor or the duty person now: somebody talks with the child before school ends today.",
            )
        case Grade.C:
            return translate(
                locale,
                "Tell the counsellor today: somebody talks with the child by the end of the next school day.",
            )
    return translate(locale, "Recorded. Nothing else is to be done at this moment.")
