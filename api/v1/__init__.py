"""The JSON API below ``/api/v1``. Every router is closed: whoever is not signed in is answered 401."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.deps import get_actor, json_router
from api.v1 import (
    accounts,
    administrations,
    campaigns,
    cases,
    children,
    crises,
    fhir,
    gaps,
    hotline,
    imports,
    instruments,
    organisations,
    oversight,
    referral_steps,
    referrals,
    tasks,
    tokens,
)

PREFIX = "/api/v1"

# What strangers may call, as (method, path): the way in. The gate and the tests read this.
OPEN = frozenset({("POST", "/api/v1/tokens"), ("POST", "/api/v1/tokens/refresh")})

# Routers of everything else, one line each.
CLOSED: tuple[APIRouter, ...] = (
    tokens.own,
    organisations.router,
    accounts.router,
    oversight.router,
    instruments.router,
    fhir.router,
    children.router,
    campaigns.router,
    administrations.router,
    imports.router,
    cases.router,
    crises.router,
    hotline.router,
    referrals.router,
    referral_steps.router,
    gaps.router,
    tasks.router,
)


def routers() -> list[APIRouter]:
    """What the app includes: the way in, and everything else behind :func:`api.deps.get_actor`."""
    way_in, inside = json_router(PREFIX), json_router(PREFIX)
    way_in.include_router(tokens.way_in)
    for router in CLOSED:
        inside.include_router(router, dependencies=[Depends(get_actor)])
    return [way_in, inside]
