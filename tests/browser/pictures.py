"""``make pictures``: the pages of the made-up county on a fixed day, as ``docs/pictures`` shows them.

The county is that of ``make run`` with the same seed; only drawn numbers (files, forms) differ from time to time.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Playwright, sync_playwright

from api.app import create_app
from api.cli import home
from api.cli.demo import prepare
from api.cli.demo.home import read_sign_ins
from screening.core.clock import LOCAL, FixedClock
from screening.core.settings import Settings
from tests.browser.person import Person
from tests.browser.service import Server
from tests.browser.window import find_browser, launch, open_window
from tests.screening.workbooks import HEADINGS, child, workbook

TARGET = Path(__file__).resolve().parents[2] / "docs" / "pictures"
NOW = datetime(2026, 11, 25, 9, 20, tzinfo=LOCAL)  # a Wednesday
HEIGHT, LONGEST = 768, 1180
COLOURS = 160  # fewer, and small coloured signs change their colour
NOTE_DOTS_PER_INCH = 84
MOST_BYTES = 1_500_000
PHQ_A = ["学号", "姓名", "施测日期", *range(1, 10)]


def store(name: str, data: bytes) -> int:
    """A picture with few colours, which pages need; its size."""
    image = Image.open(io.BytesIO(data)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    path = TARGET / name
    image.save(path, optimize=True)
    return path.stat().st_size


def take(me: Person, name: str, *, height: int = HEIGHT) -> int:
    """The open page from its top, no longer than it is."""
    me.page.set_viewport_size({"width": 1366, "height": HEIGHT})
    whole = int(me.page.evaluate("document.documentElement.scrollHeight"))
    shown = {"x": 0, "y": 0, "width": 1366, "height": min(whole, height)}
    data = me.page.screenshot(full_page=True, clip=shown, animations="disabled", caret="hide")  # type: ignore[arg-type]
    return store(f"{name}-{me.language}.png", data)


# --- one function for each picture -------------------------------------------------------------------------


def today(me: Person) -> int:
    return take(me, "today", height=900)


def case(me: Person) -> int:
    """A child whose talk is still to be held: why, draft plan, draft referral."""
    me.follow("Cases")
    paths = me.page.eval_on_selector_all("main td a", "all => all.map(each => each.pathname)")
    for path in paths:
        me.open(path)
        if me.page.locator("#plan .stamp").count() and not me.page.locator("#crisis").count():
            break
    return take(me, "case", height=LONGEST)


def sheet(me: Person) -> int:
    """Half of a paper sheet keyed in."""
    me.follow("Screening")
    me._touch(me.page.locator("a.row-link").first)
    me.follow("Roll, class by class")
    missing = me.page.locator("table.roll a.key[href$=phq_a]")
    while not missing.count():  # classes whose sheets are all in
        me._touch(me.page.locator("a[rel=next]"))
        me.page.wait_for_load_state()
    me._touch(missing.first)
    me.page.wait_for_url("**/sheets/*")
    me.hit(*"10213")
    return take(me, "sheet")


def review(me: Person) -> int:
    """A workbook with mistakes, each beside its cell."""
    me.follow("Workbooks")
    me.attach("The filled-in workbook (.xlsx)", "八年级.xlsx", faulty_workbook())
    me.press("Send it and look at it")
    me.page.wait_for_url("**/imports/*")
    return take(me, "import", height=900)


def faulty_workbook() -> bytes:
    """Ten children; a value that does not exist, a day that has not come, a name that is another one, a blank."""
    on = date(2026, 11, 20)
    numbers = range(901, 911)
    rows = [child(number, 筛查同意="是", 同意日期=date(2026, 9, 20)) for number in numbers]
    given = [[(number * place) % 2 for place in range(1, 9)] for number in numbers]
    answers = [[row[0], row[1], on, *first, 0] for row, first in zip(rows, given, strict=True)]
    answers[1][5] = 7
    answers[4][2] = date(2026, 12, 20)
    answers[6][1] = "王乙"
    answers[8][9] = None
    answers[9][11] = 2
    return workbook({"名册": [HEADINGS, *rows], "phq_a": [PHQ_A, *answers]})


def clinic(me: Person) -> int:
    """A new referral at the clinic's desk."""
    me._touch(me.page.locator("section:has(#new-title) a.row-link").first)
    me.page.wait_for_url("**/referrals/*")
    return take(me, "clinic", height=900)


def note(me: Person) -> int:
    """The printed two-way form that came with it."""
    href = me.page.locator("a[href$='note.pdf']").first.get_attribute("href")
    paper = me.page.request.get(f"{me.address}{href}").body()
    command = ["pdftoppm", "-png", "-singlefile", "-f", "1", "-r", str(NOTE_DOTS_PER_INCH), "-"]
    return store("note.png", subprocess.run(command, input=paper, capture_output=True, check=True).stdout)


def worry(me: Person) -> int:
    """Three presses of whoever is worried."""
    me.follow("Raise a worry")
    return take(me, "worry")


def call(me: Person) -> int:
    """The line is open: what is said, how urgent, what to ask next, whom to ring."""
    me.press("Answer a call")
    me.page.wait_for_url("**/hotline/calls/*")
    me.type("What is said", "同班同学来电：朋友这几天说不想活了，今天没来上学。")
    me.type("Where the caller or child is now", "朋友在家，家里只有爷爷")
    with me.page.expect_response("**/save"):
        me._touch(me.page.locator("button[name=level][value=B]"))
    me.unfold("Is this child known?")
    me.page.evaluate("window.scrollTo(0, 0)")
    return take(me, "call", height=900)


def all_pictures(playwright: Playwright, program: str, server: Server, password: str) -> int:
    size = 0
    for language in ("zh", "en"):
        browser = launch(playwright, program, language)
        tours: list[tuple[str, list[Callable[[Person], int]]]] = [
            ("counsellor.junior", [today, case, sheet, review]),
            ("clinic_intake.b", [clinic, note] if language == "zh" else [clinic]),
            ("class_teacher.junior", [worry]),
            ("hotline_operator", [call]),
        ]
        for username, tour in tours:
            context, me = open_window(browser, server.address, language=language, now=NOW)
            me.sign_in(username, password)
            for draw in tour:
                size += draw(me)
            context.close()
            if me.complaints.found:
                raise RuntimeError("\n".join(me.complaints.found))
        browser.close()
    return size


def main() -> int:
    program = find_browser()
    if program is None:
        print("No Chromium here: `make system-test` installs Debian's.", file=sys.stderr)
        return 1
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.of_home(Path(folder) / "home", worker_inside=False)
        print("the made-up county …", flush=True)
        prepare(settings, now=NOW)
        password = read_sign_ins(settings.home)[0].password
        server = Server()
        with home.opened(settings) as database:
            application = create_app(settings, database, FixedClock(NOW))
            server.show(application)
            with sync_playwright() as playwright:
                size = all_pictures(playwright, program, server, password)
            server.show(None)
            application.state.gatekeeper.close()
        server.stop()
    print(f"{TARGET.name}: {size / 1000:.0f} kB together")
    return 0 if size < MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
