"""Column types: aware instants, enums as text, JSON, and sealed cells."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import JSON, DateTime, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import object_session
from sqlalchemy.types import TypeDecorator

from screening.core.sealing import Keyring

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

E = TypeVar("E", bound=StrEnum)


def reference(column: str) -> ForeignKey:
    """A foreign key checked when the transaction commits, so that rows may be written in any order within it."""
    return ForeignKey(column, deferrable=True, initially="DEFERRED")


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored as UTC. A naive one is a mistake and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EnumText(TypeDecorator[E], Generic[E]):
    """A :class:`StrEnum` stored as its text; a stored text that is no member is an error, not a guess."""

    impl = String(40)
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:
        return None if value is None else str(self.enum(value).value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.enum(value)


PENDING = b""


class SealedOptional:
    """A text attribute kept in ``<name>_sealed``; sealed at flush, opened at first reading.

    With ``index=True`` the blind index of the text is kept in ``<name>_index`` too. The keyring is the
    session's (``session.info["keyring"]``), so an object that is in no session shows only what was set on it.
    """

    def __init__(self, *, index: bool = False) -> None:
        self.index = index

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        if "sealed_attributes" not in owner.__dict__:
            setattr(owner, "sealed_attributes", {})  # noqa: B010  # a class of any table, collected for the flush hook
        owner.__dict__["sealed_attributes"][name] = self

    def __get__(self, thing: Any, owner: type | None = None) -> str | None:
        if thing is None:
            return self  # type: ignore[return-value]  # on the class itself: the descriptor, for introspection
        cell = getattr(thing, f"{self.name}_sealed")
        # What was opened or set holds as long as the cell it belongs to: another cell has been read since.
        known = thing.__dict__.get(f"_plain_{self.name}")
        if known is not None and known[0] == cell:
            return cast("str | None", known[1])
        if not cell:
            return None
        text = keyring_of(thing).open(self.place(thing), cell).decode()
        thing.__dict__[f"_plain_{self.name}"] = (cell, text)
        return text

    def __set__(self, thing: Any, text: str | None) -> None:
        cell = None if text is None else PENDING
        thing.__dict__[f"_plain_{self.name}"] = (cell, text)
        setattr(thing, f"{self.name}_sealed", cell)

    def place(self, thing: Any) -> str:
        return f"{thing.__tablename__}.{self.name}:{thing.id}"

    def seal(self, thing: Any, keyring: Keyring) -> None:
        """Fill the sealed cell (and the blind index) from what was set on ``thing``."""
        cell, plain = thing.__dict__.get(f"_plain_{self.name}", (None, None))
        if f"_plain_{self.name}" not in thing.__dict__ or getattr(thing, f"{self.name}_sealed") != cell:
            return  # nothing was set on it, or it has been read from the database since
        if cell == PENDING and plain is not None:
            cell = keyring.seal(self.place(thing), plain.encode())
            thing.__dict__[f"_plain_{self.name}"] = (cell, plain)
            setattr(thing, f"{self.name}_sealed", cell)
            if self.index:
                setattr(
                    thing, f"{self.name}_index", keyring.blind(f"{thing.__tablename__}.{self.name}", plain)
                )
        elif cell is None and self.index:
            setattr(thing, f"{self.name}_index", None)


class Sealed(SealedOptional):
    """A sealed text that is never empty."""

    def __get__(self, thing: Any, owner: type | None = None) -> str:
        text = super().__get__(thing, owner)
        if text is None:
            raise ValueError(f"{type(thing).__name__}.{self.name} was never set")
        return text


def keyring_of(thing: object) -> Keyring:
    """The keyring of the session ``thing`` belongs to."""
    session = object_session(thing)
    if session is None:
        raise RuntimeError("a sealed cell is opened inside a session")
    keyring: Keyring = session.info["keyring"]
    return keyring
