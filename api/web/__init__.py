"""Pages: server-rendered, Chinese first, without script. What the app asks of this package stands here."""

from __future__ import annotations

from fastapi import APIRouter

from api.errors import plain_page as error_page

__all__ = ["OPEN", "error_page", "routers"]

# Pages that strangers may open, as (method, path); the gate and the tests read this.
OPEN: frozenset[tuple[str, str]] = frozenset()


def routers() -> list[APIRouter]:
    """What the app includes: routers behind :func:`api.deps.get_page_actor`, except those of ``OPEN``."""
    return []
