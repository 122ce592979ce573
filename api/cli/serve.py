"""``xinqiao serve`` and ``xinqiao work``."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import uvicorn
from rich.console import Console
from rich.table import Table

from api.app import create_app
from api.cli import home
from api.cli.backup_timer import timed
from api.cli.words import _, say
from api.worker import STOP_SECONDS, Worker, compose
from screening.core.clock import Clock
from screening.core.errors import PolicyViolation, Unavailable
from screening.core.paper import self_check
from screening.core.settings import Settings, SettingsRefused

DEFAULT_BASE = "http://127.0.0.1:8000"
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000


class Server(uvicorn.Server):
    """Tells the worker at once that it is time to stop, while requests still finish."""

    def __init__(self, config: uvicorn.Config, worker: Worker | None) -> None:
        super().__init__(config)
        self._worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._worker is not None:
            self._worker.stop_soon()
        super().handle_exit(sig, frame)


def demo_settings(settings: Settings, host: str, port: int) -> Settings:
    """A home of its own beside the real one, on SQLite whatever the environment says."""
    if settings.production:
        raise SettingsRefused("a demonstration is not served in production (XINQIAO_PRODUCTION)")
    made = Settings.of_home(
        settings.home / "demo",
        allowed_hosts=settings.allowed_hosts,
        font=settings.font,
        webhook=settings.webhook,
    )
    return _at(made, host, port)


def _at(settings: Settings, host: str, port: int) -> Settings:
    """The address that links carry, where nobody has set one."""
    if settings.base_url != DEFAULT_BASE or (host, port) == (DEFAULT_HOST, DEFAULT_PORT):
        return settings
    shown = DEFAULT_HOST if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
    name = f"[{shown}]" if ":" in shown else shown
    hosts = dict.fromkeys((*settings.allowed_hosts, shown))
    return replace(settings, base_url=f"http://{name}:{port}", allowed_hosts=tuple(hosts))


def serve(settings: Settings, *, demo: bool, host: str, port: int) -> None:
    """Pages, JSON and (unless ``XINQIAO_WORKER=alone``) the worker in one process, until a signal ends it."""
    settings = demo_settings(settings, host, port) if demo else _at(settings, host, port)
    check_printing(settings)
    check_free(host, port)
    if demo:
        prepare_demo(settings)
    with home.opened(settings) as database:
        clock = Clock()
        worker = (
            compose(settings, database, clock, more=timed(settings, clock))
            if settings.worker_inside
            else None
        )
        app = create_app(settings, database, clock, worker=worker)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,  # addresses may hold what somebody searched for; the trail says who saw what
            server_header=False,
            date_header=True,
            proxy_headers=False,  # our own code believes a configured proxy only
            timeout_graceful_shutdown=int(STOP_SECONDS),
            log_level="warning",
        )
        say(_("Serving at {address}. Stop with Ctrl-C.", address=settings.base_url))
        settle_memory()
        with signals_survived():
            Server(config, worker).run()


def work(settings: Settings) -> None:
    """The worker alone, on PostgreSQL, beside any number of others, until a signal ends it."""
    if settings.database_url.startswith("sqlite"):
        raise PolicyViolation(
            "With SQLite the worker runs inside `xinqiao serve`; alone it needs PostgreSQL (XINQIAO_DATABASE_URL)."
        )
    check_printing(settings)
    with home.opened(settings) as database:
        worker = compose(settings, database, Clock())
        asked = threading.Event()

        def stop(*_: object) -> None:
            worker.stop_soon()
            asked.set()

        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, stop)
        settle_memory()
        worker.start()
        say(_("The worker is running. Stop with Ctrl-C."))
        asked.wait()
        worker.stop()


# A collection of the oldest objects walks everything that is loaded: rarely, and without what the start has loaded.
COLLECT_AFTER = (20_000, 20, 50)


def settle_memory() -> None:
    """What has been loaded by now stays for good; the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def check_printing(settings: Settings) -> None:
    """Refuse to start where no note could ever be printed. Raises :class:`Unavailable`."""
    for message, params in self_check(settings.font):
        raise Unavailable(message, **params)


def check_free(host: str, port: int) -> None:
    """Before anything is made: can we listen there? Raises :class:`Unavailable`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise Unavailable(
                "Cannot listen at {host}, port {port}: {reason}.",
                host=host,
                port=port,
                reason=error.strerror or "?",
            ) from error


@contextmanager
def signals_survived() -> Iterator[None]:
    """uvicorn raises the signal that ended it once more when it is done; we still have to close (RL9)."""
    former: dict[int, Any] = {
        sign: signal.signal(sign, lambda *_: None) for sign in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for sign, handler in former.items():
            signal.signal(sign, handler)


def prepare_demo(settings: Settings) -> None:
    """A made-up county, once, and one sign-in per role on the screen."""
    from api.cli.demo import prepare

    table = Table(title=_("A made-up county: one sign-in per role"))
    for heading in (_("Role"), _("Place")):
        table.add_column(heading, overflow="fold")
    for heading in (_("User name"), _("Password")):
        table.add_column(heading, no_wrap=True)  # to be copied whole, on a narrow terminal too
    for entry in prepare(settings):
        table.add_row(entry.role, entry.place, entry.username, entry.password)
    Console().print(table)
