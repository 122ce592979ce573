"""One event loop for all test clients of a process: starting one for each request takes longer than most answers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from starlette.testclient import TestClient

_open = ExitStack()
_portal: Any = None


def client_of(app: Any, *, base_url: str = "https://testserver", follow_redirects: bool = True) -> TestClient:
    """A client of ``app`` without its lifespan, as one that is not entered; it keeps cookies as a browser does."""
    global _portal
    if _portal is None:
        from anyio.from_thread import start_blocking_portal

        _portal = _open.enter_context(start_blocking_portal())
    client = TestClient(app, base_url=base_url, follow_redirects=follow_redirects)
    client.portal = _portal
    return client


def end() -> None:
    """Stop the loop; the process would wait for its thread otherwise."""
    global _portal
    _open.close()
    _portal = None
