"""The main tasks in a real browser: how many keys and presses they take, and how long the machine lets a person wait.

A key is one character typed or one key pressed, a press is one click or touch. Seconds are those of the machine from
the first press to the page that says it is done, with hands that need no time: what is left is what a person waits.
The service runs in a thread of the same process on SQLite, the clock stands still.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from api import migrations
from referral.terms import ReferralStatus
from screening.core.sealing import Keyring
from tests.browser.journeys import hold_talk, write_return_note
from tests.browser.person import Person
from tests.browser.service import Seed, Server, Site
from tests.browser.window import find_browser, launch, open_window

TIMES = 5


class Effort(NamedTuple):
    """What one task took."""

    keys: int
    presses: int
    seconds: float


def effort(me: Person, do: Callable[[], None]) -> Effort:
    keys, presses, begun = me.keys, me.presses, time.perf_counter()
    do()
    return Effort(me.keys - keys, me.presses - presses, time.perf_counter() - begun)


@contextmanager
def person(browser: Browser, site: Site, who: str):
    context, me = open_window(browser, site.address, language="en", now=site.clock.now())
    me.sign_in(who)
    yield me
    context.close()
    if me.complaints.found:
        raise RuntimeError("\n".join(me.complaints.found))


# --- the tasks ---------------------------------------------------------------------------------------------


def key_sheets(browser: Browser, site: Site) -> list[Effort]:
    """A stack of PHQ-9 sheets, from child to child of a class."""
    pupils = [site.pupil() for _ in range(TIMES + 1)]
    with person(browser, site, "entry_clerk") as me:
        me.open(f"/campaigns/{site.campaign_id}/roster/{pupils[0].entry_id}/sheets/phq9")

        def one(following: str) -> None:
            me.hit(*"0101010000", "Enter")
            me.page.get_by_role("heading", name=following).wait_for()

        return [effort(me, lambda each=each: one(each.name)) for each in pupils[1:]]  # type: ignore[misc]


def send_referrals(browser: Browser, site: Site) -> list[Effort]:
    """On the open case: the talk written down, the referral sent with the same press."""
    found = []
    with person(browser, site, "counsellor") as me:
        for _ in range(TIMES):
            me.open(site.case_of(site.pupil(total=20)))
            found.append(effort(me, lambda: hold_talk(me)))
    return found


def follow_up(browser: Browser, site: Site) -> list[Effort]:
    """On the open case: a follow-up that has been held."""
    pupils = [site.pupil(total=20, share=True) for _ in range(TIMES)]
    for pupil in pupils:
        site.send_referral(pupil)
    site.clock.forward(timedelta(days=6, hours=23))
    found = []
    with person(browser, site, "counsellor") as me:
        for pupil in pupils:
            me.open(site.case_of(pupil))

            def one() -> None:
                part = me.section("Follow-ups")
                me.unfold("Write it down", within=part)
                me.type("How the child is; or why not", "睡得好些,愿意继续来。", within=part)
                me.press("Write down", within=part)
                me.page.wait_for_load_state()

            found.append(effort(me, one))
    return found


def accept(browser: Browser, site: Site) -> list[Effort]:
    """From the desk's list: a new referral accepted with its first visit."""
    pupils = [site.pupil(total=20, share=True) for _ in range(TIMES)]
    for pupil in pupils:
        site.send_referral(pupil)
    found = []
    with person(browser, site, "clinic_intake") as me:
        for pupil in pupils:
            me.open("/today")

            def one(name: str = pupil.name) -> None:
                me.follow(name)
                me.type("First visit (may be given later)", "2026-10-16T09:30")
                me.type("Place, what to bring", "门诊三楼")
                me.press("Accept")
                me.reads(ReferralStatus.SCHEDULED)

            found.append(effort(me, one))
    return found


def return_note(browser: Browser, site: Site) -> list[Effort]:
    """On the referral's page, after the visit: four ticks and a line of advice."""
    found = []
    pages = [site.send_referral(site.pupil(total=20, share=True)) for _ in range(TIMES)]
    with person(browser, site, "clinician") as me:
        for page in pages:
            me.open(page)
            me.type("First visit (may be given later)", "2026-10-14T11:00")
            me.type("Place, what to bring", "门诊三楼")
            me.press("Accept")
            me.press("The child has come")

            def one() -> None:
                write_return_note(me)
                me.sees("Not read at the school yet.")

            found.append(effort(me, one))
    return found


TASKS: tuple[tuple[str, Callable[[Browser, Site], list[Effort]], str | None, str], ...] = (
    ("a PHQ-9 sheet keyed, to the next child", key_sheets, "≤ 12", "ten answers and Enter"),
    ("the talk written down, plan confirmed, referral sent", send_referrals, None, "texts are 40 characters"),
    ("a follow-up written down", follow_up, None, "one line of text"),
    ("a referral accepted with its first visit", accept, None, "a day, a time and a place"),
    ("a return note", return_note, None, "four ticks and a line of advice"),
)


def run() -> list[dict[str, Any]]:
    program = find_browser()
    if program is None:
        raise RuntimeError("no Chromium here: `make system-test` installs Debian's")
    rows: list[dict[str, Any]] = []
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        empty = folder / "empty.sqlite"
        migrations.upgrade(f"sqlite:///{empty}")
        keyring = Keyring(keys={1: bytes(range(32))}, current=1, index_key=bytes(range(32, 64)))
        seed = Seed.sow(folder, empty, keyring)
        server = Server()
        open_things.callback(server.stop)
        browser = launch(open_things.enter_context(sync_playwright()), program)
        open_things.callback(browser.close)
        for number, (name, task, aim, note) in enumerate(TASKS):
            directory = folder / str(number)
            directory.mkdir()
            site = Site(server, seed, directory)
            found = task(browser, site)
            site.close()
            last = found[-1]
            rows += [
                {"name": name, "value": last.keys + last.presses, "unit": "keys and presses", "aim": aim}
                | {"note": f"{last.keys} keys, {last.presses} presses; {note}"},
                {"name": "… seconds of the machine", "value": statistics.median(e.seconds for e in found)}
                | {"unit": "s", "aim": None, "note": f"median of {len(found)}"},
            ]
    return rows
