"""The main jobs without JavaScript: slower, and nothing missing."""

from __future__ import annotations

import re

import pytest

from referral.terms import ReferralStatus
from tests.browser.journeys import hold_talk, write_return_note


@pytest.mark.parametrize(("language", "size"), [("zh", "phone")])
def test_a_sheet_a_case_and_a_return_note(site, window, language, size):
    keyed, seen = site.pupil(), site.pupil(total=20)
    how = {"language": language, "size": size, "script": False}
    me = window(**how)
    me.sign_in("counsellor")
    me.open(f"/campaigns/{site.campaign_id}/roster/{keyed.entry_id}/sheets/phq9")
    for item in range(1, 10):
        me.page.locator(f'label.digit:has(input[name="a_{item}"][value="0"])').click()
    me.press("Store")
    me.page.wait_for_url(re.compile("done=yes"))
    me.follow("Today")
    me.unfold("After the next three days")
    me.follow(seen.name)
    hold_talk(me)
    me.reads(ReferralStatus.SENT, within=me.section("Referral"))
    desk = window(**how)
    desk.sign_in("clinician")
    desk.follow(seen.name)
    desk.press("Accept")
    desk.type("When", "2026-10-15T09:00")
    desk.type("Place, what to bring", "门诊楼三层 305 室")
    desk.press("Save")
    desk.press("The child has come")
    write_return_note(desk)
    desk.sees("Not read at the school yet.")
