"""Worries in everyday words: what was seen, who says it, how urgent, and what somebody on the list has to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import segno
from markupsafe import Markup

from api.web.presenters import words
from referral.models.worry import Worry
from referral.queries.worries import words_of
from referral.terms import Custody, HarmAnswer, Origin, WorrySeen, WorryUrgency
from screening.core.i18n import translate
from screening.models.child import Child

Choice = tuple[str, str]


def seen(locale: str) -> list[Choice]:
    """The few big buttons."""
    return [(each.value, _seen(each, locale)) for each in WorrySeen]


def _seen(each: WorrySeen, locale: str) -> str:
    said = {
        WorrySeen.NO_SCHOOL: translate(locale, "does not want to go to school"),
        WorrySeen.HURT_SELF: translate(locale, "hurt themself"),
        WorrySeen.SAID_DYING: translate(locale, "spoke of not wanting to live"),
        WorrySeen.GONE_QUIET: translate(locale, "has become very quiet"),
        WorrySeen.AFRAID_AT_HOME: translate(locale, "is afraid at home"),
        WorrySeen.OTHER: translate(locale, "something else"),
    }
    return said[each]


def harm(locale: str) -> list[Choice]:
    """Whether the worry is about what an adult does. The first needs no press."""
    return [
        (HarmAnswer.UNCLEAR.value, translate(locale, "no, or I do not know")),
        (HarmAnswer.SCHOOL.value, translate(locale, "yes: an adult at the school")),
        (HarmAnswer.HOME.value, translate(locale, "yes: somebody at home")),
    ]


def urgencies(locale: str) -> list[tuple[str, str, str]]:
    """The three buttons that send: code, word, style."""
    return [
        (WorryUrgency.NOW.value, translate(locale, "In danger right now"), "take"),
        (WorryUrgency.TODAY.value, translate(locale, "Today"), "main"),
        (WorryUrgency.THIS_WEEK.value, translate(locale, "This week"), ""),
    ]


WHO = (Origin.SELF, Origin.GUARDIAN, Origin.PEER, Origin.NEIGHBOUR)


def who(locale: str) -> list[Choice]:
    """Who sends by the public link."""
    said = {
        Origin.SELF: translate(locale, "it is about me"),
        Origin.GUARDIAN: translate(locale, "parent or carer"),
        Origin.PEER: translate(locale, "schoolmate"),
        Origin.NEIGHBOUR: translate(locale, "neighbour or somebody else"),
    }
    return [(each.value, said[each]) for each in WHO]


def what_comes(urgency: WorryUrgency, locale: str) -> str:
    """What will be done; the same words for every child, known or not."""
    match urgency:
        case WorryUrgency.NOW:
            return translate(
                locale,
                "The people on duty are being rung now. Do not wait for them: phone, and stay with the child.",
            )
        case WorryUrgency.TODAY:
            return translate(locale, "Somebody looks after it today.")
        case _:
            return translate(locale, "Somebody looks after it within the next days.")


# --- on a list ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorryView:
    """One worry for whoever looks after it."""

    raised_at: datetime
    origin: str
    urgency: str
    name: str
    class_name: str
    seen: tuple[str, ...]
    line: str
    at_home: bool
    protected: bool


def view(worry: Worry, locale: str) -> WorryView:
    said = words_of(worry)
    return WorryView(
        raised_at=worry.raised_at,
        origin=words.word(worry.origin, locale),
        urgency=next(word for code, word, _ in urgencies(locale) if code == worry.urgency.value),
        name=said.name,
        class_name=said.class_name,
        seen=tuple(_seen(each, locale) for each in said.seen),
        line=said.line,
        at_home=said.at_home,
        protected=worry.custody is Custody.PROTECTED,
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A child of the school who may be meant."""

    id: UUID
    name: str
    sex: str
    class_name: str


def candidates(children: Sequence[Child], today: date, locale: str) -> list[Candidate]:
    return [
        Candidate(
            child.id,
            child.name,
            words.sex(child.sex, locale),
            words.class_of(child.enrolment, today, locale),
        )
        for child in children
    ]


# --- the poster --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Poster:
    """A school's live link as it is printed; ``qr`` is an SVG drawn here."""

    school_id: UUID
    school: str
    address: str
    made_at: datetime | None
    qr: Markup | None


def poster(
    school_id: UUID, school: str, secret: str | None, made_at: datetime | None, base_url: str
) -> Poster:
    if secret is None:
        return Poster(school_id, school, "", None, None)
    address = f"{base_url.rstrip('/')}/worry?s={secret}"
    code = segno.make(address, error="m", micro=False)
    # The generator writes the drawing; nothing that somebody has typed is in it.
    return Poster(school_id, school, address, made_at, Markup(code.svg_inline(border=2, omitsize=True)))  # noqa: S704
