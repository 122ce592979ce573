"""What the worker hands to a handler, and the two shapes a handler may have.

A plain handler is one function that runs in the transaction that also finishes its message. Slow or outside work
(a paper, a webhook) must not hold that transaction: on SQLite everybody who writes would wait for it. Such a
handler is a :class:`Job` of three steps: ``prepare`` reads what is needed in a short transaction, ``perform`` works
without any session, ``store`` writes what came of it in the transaction that finishes the message.

Every handler may run more than once with the same payload and has to come to the same end (requirement RL2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from screening.core.clock import Clock
from screening.core.errors import Unavailable
from screening.core.paper import Printer

W = TypeVar("W")
R = TypeVar("R")

# Ids as text, and numbers; what ``outbox.publish`` was given.
Payload = dict[str, Any]


class GatewayFailed(Unavailable):
    """The district's gateway did not take a message. Says how it failed, never what the message was about."""

    code = "gateway"


class Gateway(Protocol):
    """The way out to a person's telephone or chat: raises :class:`GatewayFailed`, or the message was taken."""

    def __call__(self, *, delivery_id: UUID, number: str, urgent: bool, at: datetime) -> None:
        """``number`` is the number of the thing to look up after signing in; ``at`` is when it arose."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a handler may use besides its session. ``gateway`` is absent where none is configured.

    ``base_url``: the configured address of the service, for links on papers; without it a paper carries none.
    """

    clock: Clock
    printer: Printer
    gateway: Gateway | None = None
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Job(Generic[W, R]):
    """A handler in three steps. ``prepare`` answers ``None`` when there is nothing left to do."""

    prepare: Callable[[Session, Payload], W | None]
    perform: Callable[[W, Tools], R]
    store: Callable[[Session, Payload, R, Tools], None]


Handler = Callable[[Session, Payload, Tools], None] | Job[Any, Any]
