"""Pages: server-rendered, Chinese first, without script. What the app asks of this package stands here."""

from __future__ import annotations

from fastapi import APIRouter

from api.web.pages import error_page, page_locale
from api.web.routes import (
    accounts,
    administrations,
    campaigns,
    capacity,
    cases,
    checks,
    crises,
    district,
    duty,
    facility_codes,
    handovers,
    hotline,
    hotline_steps,
    imports,
    models,
    papers,
    places,
    plans,
    referrals,
    replies,
    reply,
    safety_talks,
    sending,
    session,
    settings,
    talks,
    today,
    wordings,
    worries,
    worry_public,
)

__all__ = ["OPEN", "error_page", "page_locale", "routers"]

# Pages that strangers may open, as (method, path); the gate and the tests read this.
OPEN: frozenset[tuple[str, str]] = session.OPEN | worry_public.OPEN | reply.OPEN


def routers() -> list[APIRouter]:
    """What the app includes: routers behind :func:`api.deps.get_page_actor`, except those of ``OPEN``."""
    school = [cases.router, talks.router, safety_talks.router, plans.router, sending.router, replies.router]
    worry = [worry_public.router, worries.router]
    sheets = [imports.router, papers.router, campaigns.router, administrations.router]
    line = [hotline.router, hotline_steps.router, handovers.router]
    upkeep = [
        accounts.router,
        duty.router,
        places.router,
        district.router,
        facility_codes.router,
        settings.router,
        models.router,
        checks.router,
        capacity.router,
        wordings.router,
    ]
    return [
        session.way_in,
        reply.router,
        session.own,
        today.router,
        *school,
        crises.router,
        referrals.router,
        *worry,
        *sheets,
        *line,
        *upkeep,
    ]
