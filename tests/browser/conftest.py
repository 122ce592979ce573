"""A service and a browser for each test process; a county and an empty browser window for each test.

These tests are about pages, which do not know the engine below them: they always run on SQLite, and once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.person import Person
from tests.browser.service import Seed, Server, Site
from tests.browser.window import find_browser, launch, open_window


@pytest.fixture(scope="session")
def seed(tmp_path_factory, migrated_file, keyring) -> Seed:
    return Seed.sow(tmp_path_factory.mktemp("county"), migrated_file, keyring)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def started() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop | None]]:
    """The browser, and the event loop that Playwright keeps running in this thread."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here: `make test` installs Debian's, XINQIAO_BROWSER names another one")
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        loop = asyncio._get_running_loop()
        yield browser, loop
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture
def browser(started) -> Iterator[Browser]:
    """The browser. Between two of its tests the loop is hidden: other tests of this process start their own."""
    opened, loop = started
    asyncio._set_running_loop(loop)
    yield opened
    asyncio._set_running_loop(None)


@pytest.fixture
def site(server, seed, tmp_path) -> Iterator[Site]:
    """The county of this test, shown at the server's address."""
    made = Site(server, seed, tmp_path)
    yield made
    made.close()


@pytest.fixture
def window(browser, site) -> Iterator[Callable[..., Person]]:
    """``window(language="en", size="phone")``: somebody at a machine of their own. The test fails on complaints."""
    contexts, people = [], []

    def open_(**how) -> Person:
        context, person = open_window(browser, site.address, **{"now": site.clock.now(), **how})
        contexts.append(context)
        people.append(person)
        return person

    yield open_
    for context in contexts:
        context.close()
    found = [each for person in people for each in person.complaints.found]
    assert not found, "\n".join(found)
