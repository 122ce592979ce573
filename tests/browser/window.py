"""The system's own Chromium, driven by Playwright. Nothing is downloaded, nothing leaves this machine."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Playwright

from tests.browser.person import SIZES, Complaints, Person

# Debian's package first; elsewhere whatever browser of this family is there.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Besides what Playwright itself sets: no connection that nobody asked for, and no name is looked up.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
LOCALES = {"zh": "zh-CN", "en": "en-GB"}


def find_browser() -> str | None:
    """The program: ``XINQIAO_BROWSER``, or the first one on the path."""
    named = os.environ.get("XINQIAO_BROWSER")
    return named or next((found for each in PROGRAMS if (found := shutil.which(each))), None)


def launch(playwright: Playwright, program: str, language: str | None = None) -> Browser:
    """The browser; with ``language`` its own words are of this language too, such as those of a date's field."""
    speech = () if language is None else (f"--lang={LOCALES[language]}", f"--accept-lang={LOCALES[language]}")
    env = None if language is None else os.environ | {"LANGUAGE": LOCALES[language].replace("-", "_")}
    return playwright.chromium.launch(
        executable_path=program,
        args=[*FLAGS, *speech],
        chromium_sandbox=False,
        env=env,  # type: ignore[arg-type]
    )


def open_window(
    browser: Browser,
    address: str,
    *,
    language: str = "zh",
    size: str = "desk",
    script: bool = True,
    now: datetime | None = None,
) -> tuple[BrowserContext, Person]:
    """An empty window: no cookies but the language, the time of day in China, the clock standing still at ``now``."""
    context = browser.new_context(
        viewport=SIZES[size],  # type: ignore[arg-type]
        locale=LOCALES[language],
        timezone_id="Asia/Shanghai",
        java_script_enabled=script,
        has_touch=size == "phone",
        reduced_motion="reduce",
    )
    context.add_cookies([{"name": "xinqiao-language", "value": language, "url": address}])
    complaints = Complaints(urlsplit(address).netloc)
    complaints.listen(context)
    page = context.new_page()
    if now is not None and script:
        page.clock.set_fixed_time(now)
    return context, Person(page, address, complaints, language)
