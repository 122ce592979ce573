"""The service put together: routers, middleware, handlers. Nothing happens at import time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import select
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from api import errors, v1, web
from api.auth.gatekeeper import Gatekeeper
from api.auth.guessing import Addresses
from api.deps import DatabaseDep
from api.middleware import AT_ONCE, Answers, Gate, Limits, Shedding
from screening.core.clock import Clock
from screening.core.db import Database
from screening.core.settings import Settings

OPENAPI = "/api/v1/openapi.json"
STATIC_FILES = Path(__file__).parent / "web" / "static"
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
    app.state.error_page = web.error_page
    app.state.reply_tries = Addresses(REPLY_TRIES)
    for kind in errors.HANDLED:
        app.add_exception_handler(kind, errors.handle)
    app.get("/healthz", include_in_schema=False)(healthz)
    for router in [*v1.routers(), *web.routers()]:
        app.include_router(router)
    if STATIC_FILES.is_dir():
        app.mount("/static", StaticFiles(directory=STATIC_FILES), name="static")
    return app


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


def healthz(database: DatabaseDep) -> dict[str, str]:
    """Whether requests can be answered: the database is there. Says nothing else."""
    with database.look() as session:
        session.scalar(select(1))
    return {"status": "ok"}
