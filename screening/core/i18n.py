"""Catalogues. Message ids are English; Chinese is complete or the build fails; nothing is compiled."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from babel.messages.pofile import read_po

LOCALES = ("zh", "en")
DEFAULT_LOCALE = "zh"


@cache
def catalogue(locale: str) -> dict[str, str]:
    """Message id → text of one locale; an id without a translation is left out."""
    path = files("screening.core") / "locale" / locale / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        read = read_po(file, locale=locale)
    return {str(message.id): str(message.string) for message in read if message.id and message.string}


def translate(locale: str, message: str, **params: object) -> str:
    """``message`` in ``locale``. Text parameters are inserted as they are, never read as a format."""
    text = catalogue(locale if locale in LOCALES else DEFAULT_LOCALE).get(message, message)
    return text.format(**params) if params else text


def choose_locale(asked: str | None) -> str:
    """The best of our locales for an ``Accept-Language`` header or a stored choice."""
    for part in (asked or "").split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LOCALES:
            return tag
    return DEFAULT_LOCALE
