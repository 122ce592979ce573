"""Never twice (requirement RL3): a key in JSON, a one-time token in a form; refused presses burn neither."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from api.deps import ActorDep, PageRoute, StrictRoute, json_router
from api.middleware import SAFE_METHODS
from api.web.pages import TEMPLATES
from screening.core import idempotency
from screening.models.account import Account
from screening.models.campaign import Campaign, CampaignStatus
from screening.models.consent import Consent
from screening.models.import_batch import ImportBatch
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD
from tests.screening.workbooks import child, roster_book

CONSENT = {
    "purpose": "screening",
    "status": "given",
    "text_version": "v1",
    "channel": "paper",
    "given_on": "2026-10-01",
}
# Forms of people who are not signed in, of nobody in particular, or of a session that ends with the press.
# Forms of nobody's session: signing in, and what strangers send; those repeat themselves harmlessly by rules of theirs.
WITHOUT_TOKEN = {"/sign-in", "/language", "/sign-out", "/password", "/r"}
OF_STRANGERS = {"replies/reply.html", "worries/public.html"}
# The press that waits for a fresh sign-in keeps the token it came with.
KEPT = {"session/again.html", "session/go_on.html"}


def count(database, model):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model))


@pytest.fixture
def campaign(world):
    return world.make_campaign()


@pytest.fixture
def pupil(world, campaign):
    return world.make_child(campaign, consent=False)


# --- all of them -------------------------------------------------------------------------------------------


def test_every_changing_route_is_of_a_kind_that_answers_once(app):
    from fastapi.routing import iter_route_contexts

    seen = 0
    for context in iter_route_contexts(app.routes):
        if set(getattr(context, "methods", None) or {"GET"}) <= SAFE_METHODS:
            continue
        kind = StrictRoute if context.path.startswith("/api/") else PageRoute
        assert isinstance(context.original_route, kind), context.path
        seen += 1
    assert seen > 50


def test_the_api_document_names_the_key_of_every_change(client):
    for path, methods in client.get("/api/v1/openapi.json").json()["paths"].items():
        for method, told in methods.items():
            names = {each["name"] for each in told.get("parameters", []) if each["in"] == "header"}
            assert ("Idempotency-Key" in names) is (method.upper() not in SAFE_METHODS), f"{method} {path}"


def test_every_form_that_changes_something_carries_a_token():
    found = 0
    for path in Path(TEMPLATES).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if str(path.relative_to(TEMPLATES)) in OF_STRANGERS | KEPT:
            continue
        for form in re.finditer(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', text, re.S):
            if form[1] not in WITHOUT_TOKEN:
                assert "csrf_field()" in form[2], f"{path.name}: {form[1]}"
                found += 1
    assert found > 25


# --- programs ----------------------------------------------------------------------------------------------


def test_the_same_request_again_is_the_same_answer(client, as_, pupil, database, campaign):
    headers = as_("counsellor") | {"Idempotency-Key": "one-press"}
    path = f"/api/v1/children/{pupil.id}/consents"
    first, again = (client.post(path, json=CONSENT, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert count(database, Consent) == 1

    other = client.post(path, json=CONSENT | {"text_version": "v2"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "key-used")
    elsewhere = client.post(f"/api/v1/children/{uuid4()}/consents", json=CONSENT, headers=headers)
    assert elsewhere.status_code == 422
    assert count(database, Consent) == 1
    # Somebody else's key of the same name is another key.
    theirs = as_("school_lead") | {"Idempotency-Key": "one-press"}
    assert "idempotency-replayed" not in client.post(path, json=CONSENT, headers=theirs).headers


def test_a_refused_request_does_not_burn_its_key(client, as_, world, campaign):
    headers = as_("counsellor") | {"Idempotency-Key": "one-press"}
    path = f"/api/v1/campaigns/{campaign}/steps"
    body = {"to": "scored"}
    etag = {"If-Match": client.get(f"/api/v1/campaigns/{campaign}", headers=headers).headers.get("etag", "")}
    assert client.post(path, json=body, headers=headers | etag).status_code == 409
    step = client.post(path, json={"to": "closing"}, headers=as_("counsellor") | etag)
    assert step.status_code == 200, step.text
    etag = {"If-Match": step.headers.get("etag", "")}
    assert client.post(path, json=body, headers=headers | etag).status_code == 200


def test_the_answer_is_stored_with_the_change_or_neither(client, as_, pupil, database, monkeypatch):
    headers = as_("counsellor") | {"Idempotency-Key": "one-press"}
    path = f"/api/v1/children/{pupil.id}/consents"

    def full(*_, **__):
        from screening.core.errors import Unavailable

        raise Unavailable("The service is busy. Nothing was saved; please try again in a moment.")

    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "remember", full)
        assert client.post(path, json=CONSENT, headers=headers).status_code == 503
    assert count(database, Consent) == 0
    assert client.post(path, json=CONSENT, headers=headers).status_code == 201
    assert count(database, Consent) == 1


def test_while_it_runs_the_second_is_told_so(client, app, as_, world):
    router, headers = json_router("/api/v1/trial"), as_("counsellor") | {"Idempotency-Key": "one-press"}
    inner = []

    @router.post("/slow")
    def slow(actor: ActorDep) -> dict[str, str]:
        if not inner:
            inner.append(None)
            inner[0] = client.post("/api/v1/trial/slow", headers=headers)
        return {"done": "yes"}

    app.include_router(router)
    assert client.post("/api/v1/trial/slow", headers=headers).status_code == 200
    assert (inner[0].status_code, inner[0].json()["code"]) == (409, "conflict")
    assert client.post("/api/v1/trial/slow", headers=headers).status_code == 200


def test_an_upload_again_is_the_same_answer_whatever_its_boundary(client, as_, campaign, database):
    headers = as_("counsellor") | {"Idempotency-Key": "one-press"}
    data = {"campaign_id": str(campaign)}
    first, again = (
        client.post("/api/v1/imports", data=data, files={"file": ("a.xlsx", BOOK)}, headers=headers)
        for _ in range(2)
    )
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.status_code == 201
    other = client.post("/api/v1/imports", data=data, files={"file": ("a.xlsx", b"x")}, headers=headers)
    assert other.status_code == 422, (other.headers, other.text)
    assert count(database, ImportBatch) == 1


# --- pages -------------------------------------------------------------------------------------------------


@pytest.fixture
def at(app, world):
    def browser(who: str) -> Browser:
        made = Browser(app, "en")
        assert made.sign_in(who, PASSWORD).status_code == 303
        return made

    return browser


BOOK = roster_book(child(1))


def fields_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that leads there."""
    form = re.search(rf'<form method="post" action="{action}"[^>]*>(.*?)</form>', page, re.S)[1]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


def test_a_double_press_is_done_once_and_lands_on_the_same_page(at, world, database):
    draft = world.make_campaign(status=CampaignStatus.DRAFT)
    lead, path = at("school_lead"), f"/campaigns/{draft}/steps"
    fields = fields_of(lead.open(f"/campaigns/{draft}").text, path) | {"to": "announced"}
    first, again = (lead.client.post(path, data=fields, headers=SAME) for _ in range(2))
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.headers["location"] == again.headers["location"] == f"/campaigns/{draft}"
    assert again.headers["idempotency-replayed"] == "true"
    with database.look() as session:
        # Draft, announced: one change, one version.
        assert session.scalars(select(Campaign.version).where(Campaign.id == draft)).one() == 2


def test_every_form_on_a_page_has_its_own_token(at, world, campaign):
    page = at("counsellor").open("/imports").text + at("counsellor").open("/today").text
    tokens = re.findall(r'name="once" value="([^"]+)"', page)
    assert len(tokens) == len(set(tokens)) >= 1


def test_going_back_and_sending_something_else_is_said_in_words(at, world, campaign):
    counsellor, path = at("counsellor"), f"/campaigns/{campaign}/steps"
    fields = fields_of(counsellor.open(f"/campaigns/{campaign}").text, path)
    assert counsellor.client.post(path, data=fields | {"to": "closing"}, headers=SAME).status_code == 303
    answer = counsellor.client.post(path, data=fields | {"to": "scored"}, headers=SAME)
    assert answer.status_code == 409
    assert "What was changed after that was not stored" in words(answer.text)


def test_a_refused_press_burns_no_token_and_an_upload_has_one_too(at, world, campaign, database):
    counsellor = at("counsellor")
    fields = fields_of(counsellor.open("/imports").text, "/imports") | {"campaign_id": str(campaign)}
    nothing = counsellor.client.post("/imports", data=fields, files={"file": ("", b"")}, headers=SAME)
    assert nothing.status_code == 422
    assert fields_of(nothing.text, "/imports")["once"] != fields["once"]
    pressed = [
        counsellor.client.post("/imports", data=fields, files={"file": ("a.xlsx", BOOK)}, headers=SAME)
        for _ in range(2)
    ]
    assert [each.status_code for each in pressed] == [303, 303]
    # Without the token the second press would find the batch and say so: "?again=yes".
    assert pressed[0].headers["location"] == pressed[1].headers["location"]
    assert count(database, ImportBatch) == 1


def test_a_route_that_opens_its_transaction_late_burns_no_token_when_it_refuses_and_is_done_once(
    at, world, database
):
    """``get_transaction`` with a press: rolled back where it refuses, stored with its answer where it does not."""
    admin = at("sysadmin")
    fields = fields_of(admin.open("/accounts").text, "/accounts") | {"name": "许宁"}
    taken, free = fields | {"username": "counsellor"}, fields | {"username": "xu.ning"}
    before = count(database, Account)
    assert admin.client.post("/accounts", data=taken, headers=SAME).status_code == 422
    first, second = (admin.client.post("/accounts", data=free, headers=SAME) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert re.search(r"<code>([^<]+)</code>", first.text)[1] in second.text
    assert count(database, Account) == before + 1
    # Without any press the one transaction is committed where the route leaves it.
    bare = {key: value for key, value in free.items() if key != "once"} | {"username": "xu.ning.b"}
    assert admin.client.post("/accounts", data=bare, headers=SAME).status_code == 200
    assert count(database, Account) == before + 2
