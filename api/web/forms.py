"""From a form to values, or to errors in the reader's language with everything that was typed kept.

A form is read once and leniently: wrong values are collected by field, so that the page can be shown again with
a sentence beside each. Messages are catalogue ids and never repeat the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from api import once, versions
from api.deps import UNSAFE
from screening.core.clock import LOCAL
from screening.core.errors import InvalidInput

Choice = TypeVar("Choice", bound=StrEnum)
Thing = TypeVar("Thing")

LONGEST = 2_000
OURS = frozenset(
    {once.FIELD, once.TOKEN_FIELD, versions.FIELD}
)  # read before the route, and nothing that anybody typed

NEEDED = "Please fill this in."
NOT_OFFERED = "Please choose one of the answers."
TOO_LONG = "This is too long: at most {limit} characters."
ODD_CHARACTER = "This holds a character that cannot be stored. Please type it again."
NOT_TOGETHER = "These answers exclude each other."
ENTER = "The Enter key sends nothing here: press one of the buttons. Everything you typed is still there."
NO_DAY = "Please write the day like 2026-11-03."
NO_TIME = "Please write day and time like 2026-11-03 09:30."


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: a catalogue id and its parameters."""

    message: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Form:
    """What was sent. ``errors`` grows while fields are read."""

    sent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    errors: dict[str, FieldError] = field(default_factory=dict)

    def raw(self, name: str) -> str:
        """As typed, for showing it again; empty when it was not sent."""
        return next(iter(self.sent.get(name, ())), "")

    def has(self, name: str, value: str = "yes") -> bool:
        """Whether a box was ticked."""
        return value in self.sent.get(name, ())

    def text(self, name: str, *, limit: int = LONGEST, needed: bool = False) -> str:
        """A text without blanks around it; line ends as ``\\n``."""
        value = self.raw(name).replace("\r\n", "\n").strip()
        if needed and not value:
            self._wrong(name, NEEDED)
        elif len(value) > limit:
            self._wrong(name, TOO_LONG, limit=limit)
        elif UNSAFE.search(value):
            self._wrong(name, ODD_CHARACTER)
        else:
            return value
        return ""

    def choice(self, name: str, kind: type[Choice], *, needed: bool = False) -> Choice | None:
        """One word of a list."""
        value = self.raw(name)
        if not value:
            if needed:
                self._wrong(name, NEEDED)
            return None
        try:
            return kind(value)
        except ValueError:
            self._wrong(name, NOT_OFFERED)
            return None

    def choices(self, name: str, kind: type[Choice]) -> tuple[Choice, ...]:
        """Several words of a list."""
        try:
            return tuple(kind(value) for value in dict.fromkeys(self.sent.get(name, ())))
        except ValueError:
            self._wrong(name, NOT_OFFERED)
            return ()

    def choice_of(self, name: str, offered: Mapping[str, Thing], *, needed: bool = True) -> Thing | None:
        """One of the things that the page offered, by the text that stood for it."""
        value = self.raw(name)
        if value in offered:
            return offered[value]
        if value or needed:
            self._wrong(name, NOT_OFFERED if value else NEEDED)
        return None

    def number(self, name: str, first: int, last: int, *, needed: bool = False) -> int | None:
        """A whole number between two bounds, both included."""
        value = self.raw(name)
        allowed = {str(n): n for n in range(first, last + 1)}
        if value in allowed:
            return allowed[value]
        if value or needed:
            self._wrong(name, NOT_OFFERED if value else NEEDED)
        return None

    def day(self, name: str, *, needed: bool = False) -> date | None:
        """A local day."""
        value = self.raw(name).strip()
        if not value:
            if needed:
                self._wrong(name, NEEDED)
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self._wrong(name, NO_DAY)
            return None

    def instant(self, name: str, *, needed: bool = False) -> datetime | None:
        """A local day and time, as ``datetime-local`` sends it; aware."""
        value = self.raw(name).strip()
        if not value:
            if needed:
                self._wrong(name, NEEDED)
            return None
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self._wrong(name, NO_TIME)
            return None
        return read if read.tzinfo else read.replace(tzinfo=LOCAL)

    def ids(self, name: str) -> tuple[UUID, ...]:
        """Several ids, from hidden fields of ours. Raises :class:`InvalidInput`: nobody types these."""
        try:
            return tuple(UUID(value) for value in dict.fromkeys(self.sent.get(name, ())))
        except ValueError:
            raise InvalidInput(NOT_OFFERED) from None

    def require(self, name: str, value: object) -> None:
        """Note that a field is missing where other fields ask for it."""
        if not value:
            self._wrong(name, NEEDED)

    def wrong(self, name: str, message: str, **params: object) -> None:
        """Note what a rule of ours says about a field."""
        self._wrong(name, message, **params)

    def conflict(self, name: str) -> None:
        """Note that the answers ticked in a field exclude each other."""
        self._wrong(name, NOT_TOGETHER)

    def by_enter(self) -> InvalidInput | None:
        """What to say where the form's first, hidden button was pressed: by the Enter key and not by a hand."""
        return InvalidInput(ENTER) if self.has("enter") else None

    def check(self) -> None:
        """For forms of one button: raises :class:`InvalidInput` with the first mistake."""
        for each in self.errors.values():
            raise InvalidInput(each.message, **each.params)

    def _wrong(self, name: str, message: str, **params: object) -> None:
        self.errors.setdefault(name, FieldError(message, params))


async def read_form(request: Request) -> Form:
    """The form of this request without its files. Form tokens have been checked where the person was found."""
    data = await once.read_form(request)
    sent: dict[str, list[str]] = {}
    for name, value in data.multi_items():
        if isinstance(value, str) and len(sent) < once.MOST_FIELDS and name not in OURS:
            sent.setdefault(name, []).append(value)
    return Form(sent)


FormDep = Annotated[Form, Depends(read_form)]
