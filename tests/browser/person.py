"""A person at a browser: presses, ticks, types and reads by the words of the page, in the page's language.

Words are given as message ids (English) and looked for in the language of the page, so that one journey runs in
both. Every key and press is counted. Whatever a page complains about is remembered and fails the test: an error
on the console, an exception in a script, a request that failed or that went to another machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from re import Pattern
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response

from api.web.presenters.words import word
from screening.core.i18n import translate
from tests.factories import PASSWORD

DESK = {"width": 1366, "height": 768}
PHONE = {"width": 360, "height": 740}
SIZES = {"desk": DESK, "phone": PHONE}
PATIENCE_MS = 30_000  # a busy machine is no mistake of a page


@dataclass  # without slots: Playwright hangs its own attributes on the owner of a handler
class Complaints:
    """What the browser found wrong, and which refusals a test expects."""

    host: str
    found: list[str] = field(default_factory=list)
    refusals: set[int] = field(default_factory=set)

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"exception: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # A refused page is reported here as well as by its response, which is judged below.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.found.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != self.host and not request.url.startswith(("data:", "blob:")):
            self.found.append(f"request to another machine: {request.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left, and a file that is saved, end their request in this way.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"request failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.refusals:
            self.found.append(f"answered {response.status}: {response.request.method} {response.url}")


class Person:
    """One person with a page in front of them. ``keys`` and ``presses`` count what their hands do."""

    def __init__(self, page: Page, address: str, complaints: Complaints, language: str) -> None:
        self.page, self.address, self.complaints, self.language = page, address, complaints, language
        self.keys = self.presses = 0
        page.set_default_timeout(PATIENCE_MS)

    def say(self, message: str, **params: object) -> str:
        """A text of ours in the language of the page."""
        return translate(self.language, message, **params)

    def _starting(self, message: str, **params: object) -> Pattern[str]:
        return re.compile(rf"^\s*{re.escape(self.say(message, **params))}")

    # --- moving --------------------------------------------------------------------------------------------

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        """Sign in as this user from the front page, as somebody does in the morning."""
        self.open("/sign-in")
        self.type("User name", username)
        self.type("Password", password)
        self.hit("Enter")
        self.page.wait_for_url("**/today")

    def sign_out(self) -> None:
        self.press("Sign out")
        self.page.wait_for_url("**/sign-in")

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def follow(self, text: str, *, within: Locator | None = None) -> None:
        """A link that holds this text (as it stands, or a message)."""
        place = within or self.page.locator("main, header")
        self._touch(place.get_by_role("link").filter(has_text=self.say(text)).first)

    def speak(self, language: str) -> None:
        """Pages of this language from now on."""
        self.language = language
        cookie = {"name": "xinqiao-language", "value": language, "url": self.address}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item]

    # --- hands ---------------------------------------------------------------------------------------------

    def _touch(self, target: Locator) -> None:
        self.presses += 1
        target.click()

    def press(self, message: str, *, within: Locator | None = None, **params: object) -> None:
        """A button, by the beginning of its words."""
        buttons = (within or self.page).get_by_role("button", name=self._starting(message, **params))
        self._touch(buttons.filter(visible=True).first)

    def unfold(self, message: str, *, within: Locator | None = None) -> Locator:
        """Open what is folded away under these words, if it is not open; what is in it."""
        place = within or self.page.locator("main")
        folded = place.locator("details").filter(
            has=self.page.locator("summary").filter(has_text=self._starting(message))
        )
        if folded.first.get_attribute("open") is None:
            self._touch(folded.first.locator("summary").first)
        return folded.first

    def unfold_all(self) -> None:
        """Show everything that the page has folded away."""
        self.page.eval_on_selector_all("details", "all => all.forEach(each => { each.open = true; })")

    def choose(
        self, legend: str, *options: StrEnum | str, within: Locator | None = None, **params: object
    ) -> None:
        """Choices under this question, by the words of their codes (or as messages)."""
        question = self.page.locator("legend").filter(has_text=self._starting(legend, **params))
        group = (
            (within or self.page.locator("main"))
            .locator("fieldset:not(:has(fieldset))")
            .filter(has=question)
            .first
        )
        for option in options:
            words = word(option, self.language) if isinstance(option, StrEnum) else self.say(option)
            label = group.locator("label").filter(has_text=re.compile(rf"^\s*(\d )?{re.escape(words)}\s*$"))
            self._touch(label.first)

    def tick(self, message: str, *, within: Locator | None = None) -> None:
        """A box by the beginning of its words."""
        labels = (within or self.page.locator("main")).locator("label.choice")
        self._touch(labels.filter(has_text=self._starting(message)).filter(visible=True).first)

    def type(self, message: str, text: str, *, within: Locator | None = None) -> None:
        """Put text into the field with this label, in place of what is there."""
        target = (within or self.page).get_by_label(self._starting(message)).filter(visible=True).first
        kind = target.get_attribute("type")
        target.fill(text)
        self.presses += 1
        self.keys += 1 if kind in {"date", "datetime-local"} else len(text)

    def pick(self, message: str, option: StrEnum, *, within: Locator | None = None) -> None:
        """An entry of a list."""
        self.presses += 2
        target = (within or self.page).get_by_label(self._starting(message)).filter(visible=True).first
        target.select_option(option.value)

    def hit(self, *keys: str) -> None:
        """Keys of the keyboard, wherever the cursor is."""
        for key in keys:
            self.keys += 1
            self.page.keyboard.press(key)

    def attach(self, message: str, name: str, data: bytes) -> None:
        """A file into the field with this label."""
        self.presses += 2
        self.page.get_by_label(self._starting(message)).set_input_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        )

    # --- eyes ----------------------------------------------------------------------------------------------

    def reads(self, text: StrEnum | str, *, within: Locator | None = None) -> None:
        """This very text (or the word of this code) is on the page, and can be seen."""
        said = word(text, self.language) if isinstance(text, StrEnum) else text
        (within or self.page).get_by_text(said).filter(visible=True).first.wait_for(state="visible")

    def sees(self, message: str, *, within: Locator | None = None, **params: object) -> None:
        """These words are on the page, and can be seen."""
        self.reads(self.say(message, **params), within=within)

    def section(self, title: str) -> Locator:
        """The part of the page under this heading."""
        heading = self.page.get_by_role("heading", name=self._starting(title))
        return self.page.locator("section").filter(has=heading).first

    def row(self, text: str) -> Locator:
        """The line of a list that holds this text."""
        return self.page.locator("li.row, .tasks > li, tr").filter(has_text=text).first

    @contextmanager
    def refused(self, status: int) -> Iterator[None]:
        """What is done here may be answered with this status."""
        self.complaints.refusals.add(status)
        yield
        self.complaints.refusals.discard(status)

    def fits(self) -> str | None:
        """Nothing hangs over the right edge of the screen; else what does."""
        return self.page.evaluate(
            """() => {
              const wide = document.documentElement.clientWidth;
              if (document.documentElement.scrollWidth <= wide) return null;
              const over = [...document.querySelectorAll("body *")].filter(
                (each) => each.getBoundingClientRect().right > wide + 1 && !each.closest(".scroll"));
              return over.slice(0, 3).map((each) => each.outerHTML.slice(0, 120)).join(" | ") || "page too wide";
            }"""
        )
