"""What the hotline's window says: the next question to ask, the procedure for level A, breathing together.

Our own words, short enough to be read while somebody speaks. Nothing here has to be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from referral.terms import CallLevel
from screening.core.i18n import translate

_MOST = 3
_A = ("place_now", "alone", "means", "used_substance", "phone", "strength", "hopeless")
_B = ("confidentiality_told", "strength", "hopeless", "plan", "means", "alone", "place_now")
_LATER = ("confidentiality_told", "harm_by", "callback_ok", "phone", "child_school")
_ORDER: dict[CallLevel | None, tuple[str, ...]] = {
    None: ("level", "confidentiality_told", "about_caller"),
    CallLevel.A: (*_A, *_LATER),
    CallLevel.B: (*_B, *_LATER),
    CallLevel.C: (
        "confidentiality_told",
        "about_caller",
        "harm_by",
        "strength",
        "child_school",
        "callback_ok",
    ),
    CallLevel.D: ("about_caller", "given"),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question, and the field that takes its answer."""

    field: str
    text: str


def prompts(level: CallLevel | None, answered: Callable[[str], bool], locale: str) -> list[Prompt]:
    """The next questions, the first one first; empty when nothing more has to be asked."""
    said = _questions(locale)
    order = dict.fromkeys(_ORDER[level])
    return [Prompt(field, said[field]) for field in order if not answered(field)][:_MOST]


def _questions(locale: str) -> Mapping[str, str]:
    return {
        "level": translate(locale, "Is somebody in danger at this moment? If so, press A first."),
        "confidentiality_told": translate(
            locale,
            "Say it early: what you tell me stays with us, unless a life is in danger, a minor is harmed, or the law asks.",
        ),
        "about_caller": translate(locale, "Is it about yourself, or about somebody else?"),
        "place_now": translate(
            locale, "Where are you now? County, village or street, building, floor: so that a car finds it."
        ),
        "alone": translate(locale, "Is somebody with you, or near enough to come in?"),
        "means": translate(
            locale,
            "What is at hand: medicine, pesticide, a blade, a height, water? Can you move away from it while we talk?",
        ),
        "used_substance": translate(locale, "Have you taken or drunk anything today? What, how much, when?"),
        "phone": translate(locale, "If we are cut off, which number may I ring?"),
        "strength": translate(locale, "From 0 to 10: how strong is the thought of not wanting to live, now?"),
        "hopeless": translate(locale, "From 0 to 10: how hopeless does it look to you?"),
        "plan": translate(locale, "Have you thought about how, and about when?"),
        "harm_by": translate(locale, "Is somebody hurting you: at home, at school, elsewhere?"),
        "callback_ok": translate(locale, "May we ring you again? At what time is it safe?"),
        "child_school": translate(
            locale, "Which school or place is it? You need not say; it helps to find somebody near."
        ),
        "given": translate(locale, "What would help until tomorrow, and who can be with you?"),
    }


def procedure(locale: str) -> list[str]:
    """Level A, step by step. Any order; none of it waits for a form."""
    return [
        translate(locale, "Stay on the line: \"I am here, and I stay.\" Press A; the supervisor is rung by it."),
        translate(locale, "The place first: county, village or street, building, floor, what can be seen from there."),
        translate(locale, "On a second telephone: 120 for injury or poison, 110 for violence, a height, somebody lost. Then Alt+3."),
        translate(locale, "Away from the edge, the water, the blade, the bottle. Who is near and can open the door?"),
        translate(locale, "Something taken: what, how much, when. The package stays with the person for the doctors."),
        translate(locale, "No promise to tell nobody. Say who is coming, and why."),
        translate(locale, "Keep talking until somebody beside them says so. Write down who, and when."),
    ]  # fmt: skip


def breathing(locale: str) -> list[str]:
    """A minute of breathing together, to be read aloud slowly."""
    return [
        translate(locale, "Let us breathe together for a minute. It need not be done well."),
        translate(locale, "Put both feet on the ground and feel that it carries you."),
        translate(locale, "In through the nose, I count for you: one, two, three, four."),
        translate(locale, "And out slowly, as if through a straw: one, two, three, four, five, six."),
        translate(
            locale, "Again, five times. If counting is a nuisance, only let the breath out longer than in."
        ),
        translate(locale, "Now name three things that you see around you."),
        translate(locale, "How is it in your body now, a little lighter or the same? Both are all right."),
    ]
