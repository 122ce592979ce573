"""Named points where a test may let the process fail, wherever two effects follow each other.

They do nothing unless a test has armed them.
"""

from __future__ import annotations

from collections.abc import Callable

_armed: dict[str, Callable[[], None]] = {}


def fault(name: str) -> None:
    """Fail here if a test asked for it."""
    if _armed and name in _armed:
        _armed[name]()


def arm(name: str, failure: Callable[[], None]) -> None:
    _armed[name] = failure


def disarm() -> None:
    _armed.clear()
