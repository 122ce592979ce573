"""``xinqiao outbox``: background work that was given up, and another try for it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from api.cli import home
from api.cli.words import _, say
from screening.core.clock import Clock
from screening.core.outbox import OutboxMessage, count_waiting
from screening.core.settings import Settings


def show(settings: Settings) -> None:
    """What waits and what was given up. Runs beside a running service."""
    with home.opened(settings, hold=False) as database, database.look() as session:
        say(_("Waiting: {n}.", n=count_waiting(session)))
        dead = session.scalars(
            select(OutboxMessage).where(OutboxMessage.dead_at.is_not(None)).order_by(OutboxMessage.dead_at)
        ).all()
        say(_("Given up: {n}.", n=len(dead)))
        if not dead:
            return
        table = Table()
        for heading in (_("Number"), _("Kind"), _("Attempts"), _("Last failure")):
            table.add_column(heading, overflow="fold")
        for message in dead:
            table.add_row(str(message.id), message.topic, str(message.attempts), message.last_error or "")
        Console().print(table)


def retry(settings: Settings) -> None:
    """Let everything that was given up be tried again from the beginning."""
    now = Clock().now()
    with home.opened(settings) as database, database.begin() as session:
        dead = session.scalars(select(OutboxMessage).where(OutboxMessage.dead_at.is_not(None))).all()
        for message in dead:
            message.dead_at, message.attempts, message.available_at = None, 0, now
    say(_("To be tried again: {n}.", n=len(dead)))
