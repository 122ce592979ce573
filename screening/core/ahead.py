"""Reading ahead: what is stored about many things is read in one statement instead of one for each.

A :class:`Shelf` is a question such as "the open tasks about this subject". Asked alone it is a statement. Once it
has been filled for the subjects of a piece of work it answers from memory; so it does for everything that was
itself made in this transaction, since the database cannot know anything about that. What the transaction adds
stands on the shelf at once. All is forgotten when the transaction ends, or a savepoint of it is rolled back.

Filled shelves are for work that holds what it asks about (``referral.intake``): what has been read stays true then.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, event, select
from sqlalchemy.orm import InstrumentedAttribute, Session, SessionTransaction

from screening.core.db import Base
from screening.core.rows import RowSession

R = TypeVar("R", bound=Base)
T = TypeVar("T")
AT_ONCE = 500  # ids in one statement
_UNKNOWN: Any = object()


class _Known:
    """What one transaction has made and read."""

    def __init__(self) -> None:
        self.born: set[UUID] = set()
        self.made: dict[type, list[Any]] = {}
        self.indexed: dict[tuple[type, str], tuple[int, dict[Any, list[Any]]]] = {}
        self.filled: dict[Shelf[Any], dict[UUID, list[Any]]] = {}
        self.told: dict[Hashable, Any] = {}

    def made_about(self, model: type, column: str, value: UUID) -> list[Any]:
        """The rows of one table that this transaction has made about ``value``."""
        rows = self.made.get(model)
        if not rows:
            return []
        seen, index = self.indexed.get((model, column), (0, {}))
        if seen < len(rows):
            for row in rows[seen:]:
                index.setdefault(getattr(row, column), []).append(row)
            self.indexed[model, column] = (len(rows), index)
        return index.get(value, [])


def _known(session: Session) -> _Known:
    known = session.info.get("ahead")
    if known is None:
        known = session.info["ahead"] = _Known()
    return known


class Shelf(Generic[R]):
    """Rows of one table by one of its id columns, as long as they are ``live``.

    ``live`` is asked of every row, so that what this transaction has changed counts; ``condition`` says the same to
    the database.
    """

    def __init__(
        self,
        column: InstrumentedAttribute[Any],
        *,
        condition: ColumnElement[bool] | None = None,
        live: Callable[[R], bool] = lambda row: True,
    ) -> None:
        self.model = cast("type[R]", column.class_)
        self.column = column
        self.live = live
        self.statement = select(self.model)
        if condition is not None:
            self.statement = self.statement.where(condition)
        self.alone = self.statement.where(column == bindparam("about"))

    def of(self, session: Session, about: UUID) -> list[R]:
        """The live rows about one thing, those of this transaction last."""
        known = _known(session)
        made = known.made_about(self.model, self.column.key, about)
        if about in known.born:
            return [row for row in made if self.live(row)]
        stored = known.filled.get(self, {}).get(about)
        if stored is None:
            # Nothing is written out for the question's sake: what is pending stands in ``made``.
            with session.no_autoflush:
                stored = list(session.scalars(self.alone, {"about": about}))
        rows = dict.fromkeys([*stored, *made])
        return [row for row in rows if self.live(row)]

    def fill(self, session: Session, about: Iterable[UUID]) -> list[R]:
        """Read what is stored about all of these; the live rows."""
        shelf = _known(session).filled.setdefault(self, {})
        ids = sorted(set(about))
        found: list[R] = []
        for start in range(0, len(ids), AT_ONCE):
            piece = ids[start : start + AT_ONCE]
            shelf.update({each: [] for each in piece})
            for row in session.scalars(self.statement.where(self.column.in_(piece))):
                shelf[getattr(row, self.column.key)].append(row)
                found.append(row)
        return [row for row in found if self.live(row)]


def newborn(session: Session, row_id: UUID) -> None:
    """This id is new: nothing that is stored can be about it. Objects that are added say so themselves."""
    _known(session).born.add(row_id)


def tell(session: Session, what: Hashable, value: object) -> None:
    """Answer :func:`told` in advance, until the transaction ends or somebody tells it anew."""
    _known(session).told[what] = value


def told(session: Session, what: Hashable, read: Callable[[], T]) -> T:
    """What was told in advance, or else what ``read`` says now."""
    value = _known(session).told.get(what, _UNKNOWN)
    return read() if value is _UNKNOWN else value


@event.listens_for(RowSession, "transient_to_pending")
def _made(session: RowSession, thing: Base) -> None:
    known = _known(session)
    known.born.add(thing.id)
    known.made.setdefault(type(thing), []).append(thing)


@event.listens_for(RowSession, "after_soft_rollback")
def _forget_undone(session: RowSession, _: SessionTransaction) -> None:
    session.info.pop("ahead", None)


@event.listens_for(RowSession, "after_transaction_end")
def _forget(session: RowSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop("ahead", None)
