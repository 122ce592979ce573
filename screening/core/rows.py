"""Rows that are only ever added: plain values, written in one statement per table when the session is flushed.

The unit of work of an object costs several times what its row costs. A trail row, a line of a history or a message
is never looked at again by those who write it, so it needs no object. What the reader sees is the same: a query
that looks for such rows finds them, since every query flushes first; a savepoint or a transaction that is rolled
back takes them along; a row refused by the database refuses the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from sqlalchemy import Insert, Table, event, inspect
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from screening.core.sealing import Keyring

if TYPE_CHECKING:
    from screening.core.db import Base

Values = dict[str, Any]


class RowSession(Session):
    """A session that writes the added rows with what it flushes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.added_rows: dict[Table, list[Values]] = {}

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        super().flush(objects)
        self.write_rows()

    def begin_nested(self) -> SessionTransaction:
        # What came before the savepoint is none of its business.
        self.flush()
        return super().begin_nested()

    def write_rows(self) -> None:
        """Every added row, one statement per table."""
        while self.added_rows:
            table, rows = self.added_rows.popitem()
            self.connection().execute(_insert(table), rows)


def add(session: Session, model: type[Base], **values: Any) -> UUID:
    """Add one row to this transaction; its id. Takes what the model's constructor takes, but no related objects."""
    if not isinstance(session, RowSession):
        thing = model(**values)
        session.add(thing)
        return thing.id
    table, template, sealed = _shape(model)
    row = template.copy()
    row["id"] = row_id = values.pop("id", None) or uuid4()
    for name, value in values.items():
        if name in template:
            row[name] = value
        elif name in sealed:
            _seal(row, table.name, name, sealed[name], value, session.info["keyring"])
        else:
            raise TypeError(f"{model.__name__} has no column {name}")
    rows = session.added_rows.get(table)
    if rows is None:
        session.added_rows[table] = [row]
    else:
        rows.append(row)
    return cast("UUID", row_id)


def add_plain(session: Session, thing: Base) -> None:
    """Add what a new object holds as a row. The object itself stays outside the session: it is there to be read."""
    if not isinstance(session, RowSession):
        session.add(thing)
        return
    table, template, _ = _shape(type(thing))
    held = thing.__dict__
    row = {name: held.get(name, default) for name, default in template.items()}
    session.added_rows.setdefault(table, []).append(row)


def _seal(row: Values, table: str, name: str, index: bool, text: str | None, keyring: Keyring) -> None:
    if text is None:
        return
    row[f"{name}_sealed"] = keyring.seal(f"{table}.{name}:{row['id']}", text.encode())
    if index:
        row[f"{name}_index"] = keyring.blind(f"{table}.{name}", text)


@cache
def _shape(model: type[Base]) -> tuple[Table, Values, dict[str, bool]]:
    """The table, a row of nothing but plain defaults, and the sealed texts with whether they have an index."""
    mapper = inspect(model)
    table = cast("Table", mapper.local_table)
    template: Values = {}
    for attribute in mapper.column_attrs:
        [column] = attribute.columns
        if attribute.key != column.key or column is mapper.version_id_col:
            raise TypeError(f"{model.__name__} is written as objects only")
        default = column.default
        template[column.key] = default.arg if isinstance(default, ScalarElementColumnDefault) else None
    sealed = getattr(model, "sealed_attributes", {})
    return table, template, {name: attribute.index for name, attribute in sealed.items()}


@cache
def _insert(table: Table) -> Insert:
    return table.insert()


@event.listens_for(RowSession, "before_commit")
def _write_before_commit(session: RowSession) -> None:
    # A session without any changed object is not flushed by its commit.
    session.write_rows()


@event.listens_for(RowSession, "after_soft_rollback")
def _forget(session: RowSession, _: SessionTransaction) -> None:
    session.added_rows.clear()
