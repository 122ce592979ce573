"""Nobody's words are silently overwritten (requirement RL4): versions in JSON and on pages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from referral.models.case import Assessment, Case
from referral.models.referral import Referral
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from tests.api.etags import if_match
from tests.api.test_v1_care import TALK, WORDS
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD, answers, spread

# Every change of a versioned thing, with a body that passes; what is not here adds to a record and overwrites nobody.
CASE = {
    "POST {case}/assessments": TALK,
    "POST {case}/tier/signature": None,
    "POST {case}/plans": {"reason": "复核"},
    "POST {case}/plans/{plan}/confirm": None,
}
REFERRAL = {
    "PUT {referral}/words": WORDS,
    "POST {referral}/guardian-answer": {
        "agreed": True, "given_by": "家长甲", "relation": "母亲", "channel": "spoken", "text_version": "v1", "given_on": "2026-10-14",
    },
    "POST {referral}/send": {},
    "POST {referral}/withdraw": {"reason": "家长已自行就诊"},
    "POST {referral}/acknowledge": None,
    "POST {referral}/complete": None,
}  # fmt: skip
ROLES = {"POST {case}/tier/signature": "school_lead", "POST {crisis}/stand-down": "school_lead"}


@pytest.fixture
def pupil(world):
    return world.make_child(world.make_campaign(), share=True)


@pytest.fixture
def addresses(world, pupil, database):
    """Of a case with its referral, of an episode, of a campaign and of the district."""
    world.submit(pupil, "phq9", spread("phq9", 21))
    world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    from referral.models.crisis import CrisisEpisode
    from referral.models.plan import PlanVersion
    from screening.models.campaign import Campaign

    api = "/api/v1"
    with database.look() as session:
        plan = select(PlanVersion.id).where(PlanVersion.superseded_at.is_(None))
        return {
            "case": f"{api}/cases/{session.scalars(select(Case.id)).one()}",
            "plan": str(session.scalars(plan).one()),
            "referral": f"{api}/referrals/{session.scalars(select(Referral.id)).one()}",
            "crisis": f"{api}/crises/{session.scalars(select(CrisisEpisode.id)).one()}",
            "campaign": f"{api}/campaigns/{session.scalars(select(Campaign.id)).one()}",
            "district": f"{api}/district",
        }


CHANGES = {
    **CASE,
    **REFERRAL,
    "POST {crisis}/stand-down": {"safety_plan_done": True},
    "POST {campaign}/steps": {"to": "closing"},
    "PUT {district}": {"base_rate": 0.1, "release": "stepwise"},
    "POST {district}/approval": {"version": 1},
}


def test_without_a_version_428_and_with_an_old_one_412(client, as_, addresses):
    wrong = []
    for change, body in CHANGES.items():
        method, path = change.format(**addresses).split(" ")
        who = "edu_officer" if "district" in path else ROLES.get(change, "counsellor")
        headers = as_(who)
        for sent, expected, code in (
            ({}, 428, "version-missing"),
            ({"If-Match": "7"}, 412, "changed-since"),
            ({"If-Match": '"999999"'}, 412, "changed-since"),
        ):
            answer = client.request(method, path, json=body, headers=headers | sent)
            if (answer.status_code, answer.json().get("code")) != (expected, code):
                wrong.append((change, sent, answer.status_code, answer.text[:200]))
        now = if_match(client, method, path, headers)
        answer = client.request(method, path, json=body, headers=headers | now)
        if answer.status_code in {412, 428}:
            wrong.append((change, now, answer.status_code, answer.text[:200]))
    assert not wrong


def test_a_change_moves_the_version_and_the_next_is_told_who_did_what(client, as_, addresses, clock):
    path = addresses["campaign"]
    clock.forward(timedelta(minutes=1))  # of two changes of one instant neither is the later
    counsellor, lead = as_("counsellor"), as_("school_lead") | {"Accept-Language": "en"}
    first = client.get(path, headers=counsellor).headers["etag"]
    assert first == client.get(path, headers=lead).headers["etag"]
    moved = client.post(f"{path}/steps", json={"to": "closing"}, headers=counsellor | {"If-Match": first})
    assert moved.status_code == 200
    assert moved.headers["etag"] == client.get(path, headers=lead).headers["etag"] != first

    late = client.post(f"{path}/steps", json={"to": "scored"}, headers=lead | {"If-Match": first})
    assert late.status_code == 412
    told = late.json()
    assert f'"{told["version"]}"' == moved.headers["etag"]
    [change] = told["changes"]
    assert (change["by"], change["what"]) == ("林知远", "the campaign")
    assert "林知远 10-14 10:01 the campaign" in told["detail"]


def test_a_plan_drafted_anew_is_a_change_of_the_case(client, as_, addresses, world, pupil):
    path, headers = addresses["case"], as_("counsellor")
    before = client.get(path, headers=headers).headers["etag"]
    assert client.get(path, headers=headers).headers["etag"] == before
    world.submit(pupil, "gad7", spread("gad7", 15))
    assert client.get(path, headers=headers).headers["etag"] != before


def test_in_danger_nobody_is_sent_back_to_read_first(client, as_, addresses):
    headers = as_("counsellor")
    assert client.post(f"{addresses['crisis']}/take", headers=headers).status_code == 200
    step = {"step": "child_safe", "happened_at": "2026-10-14T01:00:00Z"}
    assert client.post(f"{addresses['crisis']}/steps", json=step, headers=headers).status_code == 201


# --- pages -------------------------------------------------------------------------------------------------


@pytest.fixture
def at(app, world):
    def browser(who: str) -> Browser:
        made = Browser(app, "en")
        assert made.sign_in(who, PASSWORD).status_code == 303
        return made

    return browser


def hidden(page: str) -> dict[str, str]:
    """What every form of a page carries."""
    return {
        name: re.search(rf'name="{name}" value="([^"]+)"', page)[1]
        for name in ("csrf_token", "once", "version")
    }


def test_a_long_form_from_an_old_page_is_shown_again_with_everything_typed(at, addresses, database, world):
    counsellor = at("counsellor")
    path = addresses["case"].removeprefix("/api/v1")
    old = hidden(counsellor.open(path).text)
    world.clock.forward(timedelta(minutes=1))
    with database.begin() as session:  # meanwhile the centre has done something to it
        case = session.scalars(select(Case)).one()
        case.backup_id = world.people["county_centre"]
        audit.record(
            session,
            actor=Actor(account_id=world.people["county_centre"]),
            event=AuditEvent.CASE_CHANGE,
            at=world.clock.now(),
            child_id=case.child_id,
            subject_id=case.id,
        )
    typed = {
        "reason": "近两周情绪低落 愿意谈",
        "held_at": "2026-10-14T09:40",
        "channel": "in_person",
        "concern": "2",
    }
    form = typed | {
        "harm_answer": "none",
        "tier": "watch",
        "safety": "none_found",
        "help_wanted": "assessment",
    }
    form |= {"observed": "近三周睡眠差,上课走神。", "done_so_far": "已面谈一次。"}
    answer = counsellor.client.post(f"{path}/assessments", data=old | form, headers=SAME)
    assert answer.status_code == 412
    seen = words(answer.text)
    assert "沈若水 10-14 10:01 the case" in seen
    assert typed["reason"] in answer.text
    assert form["observed"] in answer.text
    with database.look() as session:
        assert session.scalars(select(Assessment)).all() == []

    again = counsellor.client.post(f"{path}/assessments", data=hidden(answer.text) | form, headers=SAME)
    assert again.status_code == 303, words(again.text)


def test_a_short_form_from_an_old_page_says_who_and_gives_the_words_back(at, addresses, client, as_, world):
    counsellor = at("counsellor")
    case, api = addresses["case"].removeprefix("/api/v1"), addresses["referral"]
    old = hidden(counsellor.open(case).text)
    world.clock.forward(timedelta(minutes=1))
    headers = as_("school_lead")
    seen = {"If-Match": client.get(api, headers=headers).headers["etag"]}
    changed = client.put(f"{api}/words", json=WORDS, headers=headers | seen)
    assert changed.status_code == 200, changed.text
    reason = {"reason": "家长已经自行 带去就诊"}
    answer = counsellor.client.post(f"{case}/referral/withdraw", data=old | reason, headers=SAME)
    assert answer.status_code == 412
    assert "周以宁 10-14 10:01 the referral" in words(answer.text)
    assert reason["reason"] in answer.text
    fresh = hidden(counsellor.open(case).text)
    assert (
        counsellor.client.post(f"{case}/referral/withdraw", data=fresh | reason, headers=SAME).status_code
        == 303
    )
