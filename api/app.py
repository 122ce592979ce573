"""The service put together: routers, middleware, handlers. Nothing happens at import time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Protocol

from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import select
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from api import errors, v1, web
from api.auth.gatekeeper import Gatekeeper
from api.auth.guessing import Addresses
from api.deps import DatabaseDep
from api.middleware import AT_ONCE, Answers, Gate, Limits, Shedding
from api.papers import Papers
from screening.core.clock import Clock
from screening.core.db import Database
from screening.core.settings import Settings

OPENAPI = "/api/v1/openapi.json"
STATIC_FILES = Path(__file__).parent / "web" / "static"
# What people without an account may send from one address: a class at the school's own address, not a machine.
BY_STRANGERS, WITHIN = 40, timedelta(minutes=10)
# How long an answer to a stranger takes at least, so that its length does not tell whether a child was found.
EVEN_SECONDS = 0.4
REPLY_TRIES = 30  # replies and wrong codes a minute from one address: a clinic has one, and few notes a day
RESERVED_THREADS = 16  # for the crisis lane, beyond what usual requests can take


class Worker(Protocol):
    """What runs beside the requests: started and stopped with the service."""

    def start(self) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> object: ...


def create_app(
    settings: Settings, database: Database, clock: Clock | None = None, *, worker: Worker | None = None
) -> FastAPI:
    """The service on ``database``. Raises ``KeysRefused`` when the token keys are missing or unsafe."""
    clock = clock or Clock()
    gatekeeper = Gatekeeper(settings, database, clock)
    openapi = None if settings.production else OPENAPI
    open_to_all = {("GET", "/healthz"), *v1.OPEN, *web.OPEN, *([("GET", openapi)] if openapi else [])}
    app = FastAPI(
        title="心桥 Xinqiao",
        routes=list(_routes()),
        openapi_url=openapi,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from the request's Host
        form_limits={"max_files": 1, "max_fields": 100},
        lifespan=_lifespan,
        middleware=[
            Middleware(Answers, settings=settings),
            Middleware(Limits, settings=settings),
            Middleware(Shedding),
            Middleware(Gate, gatekeeper=gatekeeper, open_to_all=open_to_all),
        ],
    )
    app.state.settings = settings
    app.state.database = database
    app.state.clock = clock
    app.state.gatekeeper = gatekeeper
    app.state.worker = worker
    app.state.papers = Papers(settings)
    app.state.strangers = Addresses(BY_STRANGERS, WITHIN)
    app.state.even_seconds = EVEN_SECONDS
    app.state.running = set()  # presses of programs at work in this process
    app.state.error_page = web.error_page
    app.state.page_locale = web.page_locale
    app.state.reply_tries = Addresses(REPLY_TRIES)
    for kind in errors.HANDLED:
        app.add_exception_handler(kind, errors.handle)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route with all it depends on, for each app of this process: working that out takes a fifth of a second,
    and neither settings nor database have a part in it."""
    site = FastAPI(openapi_url=None, form_limits={"max_files": 1, "max_fields": 100})
    site.get("/healthz", include_in_schema=False)(healthz)
    for router in [*v1.routers(), *web.routers()]:
        site.include_router(router)
    if STATIC_FILES.is_dir():
        site.mount("/static", StaticFiles(directory=STATIC_FILES), name="static")
    return tuple(site.routes)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = AT_ONCE + RESERVED_THREADS
    worker: Worker | None = app.state.worker
    if worker is not None:
        worker.start()
    yield
    if worker is not None:
        await to_thread.run_sync(worker.stop)
    app.state.gatekeeper.close()
    app.state.papers.close()


def healthz(database: DatabaseDep) -> dict[str, str]:
    """Whether requests can be answered: the database is there. Says nothing else."""
    with database.look() as session:
        session.scalar(select(1))
    return {"status": "ok"}
