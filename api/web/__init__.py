"""Pages: server-rendered, Chinese first, without script. What the app asks of this package stands here."""

from __future__ import annotations

from fastapi import APIRouter

from api.web.pages import error_page
from api.web.routes import (
    administrations,
    campaigns,
    cases,
    crises,
    facility_codes,
    imports,
    plans,
    referrals,
    replies,
    reply,
    sending,
    session,
    talks,
    today,
)

__all__ = ["OPEN", "error_page", "routers"]

# Pages that strangers may open, as (method, path); the gate and the tests read this.
OPEN: frozenset[tuple[str, str]] = session.OPEN | reply.OPEN


def routers() -> list[APIRouter]:
    """What the app includes: routers behind :func:`api.deps.get_page_actor`, except those of ``OPEN``."""
    school = [cases.router, talks.router, plans.router, sending.router, replies.router]
    sheets = [imports.router, campaigns.router, administrations.router]
    return [
        session.way_in,
        reply.router,
        facility_codes.router,
        session.own,
        today.router,
        *school,
        crises.router,
        referrals.router,
        *sheets,
    ]
