"""Pages for everybody: axe finds nothing, nothing hangs over the edge of a phone, the focus can be seen."""

from __future__ import annotations

import pytest

from tests.browser.axe import violations
from tests.browser.journeys import ask_about_safety, raise_a_worry
from tests.browser.person import SIZES
from tests.browser.walk import SEEDS, page_routes, populate, walk

LANGUAGES = ("zh", "en")
# In `make test`: the pages with the most on them, by the keys of ``populate``. The long tests take every page.
TEN = (
    (None, ("/sign-in",)),
    ("counsellor", ("/today", "crisis", "case", "roster", "sheet", "/imports", "batch")),
    ("clinician", ("/today", "referral")),
)
FOCUS = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  // A choice drawn by its label shows the focus on what is drawn.
  const shown = [at, at.nextElementSibling].filter(Boolean).map((each) => getComputedStyle(each));
  const seen = shown.some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  return seen ? "" : at.outerHTML.slice(0, 120);
}"""


def judge(me, where: str, *looked_at: str) -> list[str]:
    """What is wrong with the open page: by axe at these sizes, over the edge at both."""
    wrong = []
    for size, viewport in SIZES.items():
        me.page.set_viewport_size(viewport)
        if size in looked_at:
            wrong += [f"{where} {size}: {each}" for each in violations(me.page)]
        if (over := me.fits()) is not None:
            wrong.append(f"{where} {size}: too wide: {over}")
    return wrong


def test_ten_pages_in_both_languages_and_sizes(site, window):
    places, wrong = populate(site), []
    for who, keys in TEN:
        me = window()
        if who is not None:
            me.sign_in(who)
        # The markup is the same at both sizes, and so are the rules in both languages.
        for language, size in (("zh", "desk"), ("en", "phone")):
            me.speak(language)
            for key in keys:
                me.open(places.get(key, key))
                me.unfold_all()
                wrong += judge(me, f"{key} {language}", size)
    assert not wrong, "\n".join(wrong)


def test_the_focus_can_be_seen(site, window):
    """WCAG 2.4.7, at each stop of the Tab key."""
    case = site.case_of(site.pupil(total=20))
    sheet = f"/campaigns/{site.campaign_id}/roster/{site.pupil().entry_id}/sheets/phq9"
    me = window(language="en")
    me.sign_in("counsellor")
    wrong = []
    for path, stops in (("/today", 14), (case, 30), (sheet, 14), ("/imports", 12)):
        me.open(path)
        me.unfold_all()
        for _ in range(stops):
            me.hit("Tab")
            if unseen := me.page.evaluate(FOCUS):
                wrong.append(f"{path}: {unseen}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_every_page_in_both_languages_and_sizes(site, window):
    populate(site)

    def as_(who, **how):
        me = window(language="zh", **how)
        if who is not None:
            me.sign_in(who)
        return me

    raise_a_worry(site, as_)
    ask_about_safety(site, as_)
    wrong, seen = [], set()
    for who in (None, *site.world.people):
        if who is not None and who.startswith(("other_", "second_")):
            continue
        me = window()
        if who is not None:
            me.sign_in(who)
        seeds = [(kind, of(site)) for kind, (whose, of) in SEEDS.items() if whose == who]
        found = dict(seeds)
        for kind, path in walk(me) if who is not None else ():
            found.setdefault(kind, path)
        for kind, path in found.items():
            # The first page differs from post to post; of the others one look is enough.
            if kind in seen and kind != "/today":
                continue
            seen.add(kind)
            for language in LANGUAGES:
                me.speak(language)
                me.open(path)
                me.unfold_all()
                wrong += judge(me, f"{who} {kind} {language}", *SIZES)
    unseen = set(page_routes()) - seen
    assert not unseen, f"nobody comes to these pages; name them in tests/browser/walk.py: {sorted(unseen)}"
    assert not wrong, "\n".join(wrong)
