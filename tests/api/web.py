"""A browser for tests of pages: it signs in through the form and sends forms as the page holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from starlette.testclient import TestClient

SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


class _Text(HTMLParser):
    """The words of a page, without markup, scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words(page: str) -> str:
    """What a reader sees, in one line."""
    reader = _Text()
    reader.feed(page)
    return re.sub(r"\s+", " ", " ".join(reader.words))


class Browser:
    """One person at one machine."""

    def __init__(self, app, language: str | None = None) -> None:
        self.client = TestClient(app, base_url="https://testserver", follow_redirects=False)
        if language is not None:
            self.client.cookies.set("xinqiao-language", language)

    def sign_in(self, username: str, password: str):
        return self.client.post("/sign-in", data={"username": username, "password": password}, headers=SAME)

    def open(self, path: str):
        return self.client.get(path, headers={"Accept": "text/html"})

    def send(self, path: str, seen: str | None = None, form: Mapping[str, object] | None = None, **fields):
        """Send a form from the page at ``seen``; ``None`` leaves a field out. ``form``: fields whose names are ours."""
        fields = {**fields, **(form or {})}
        page = self.open(seen or "/today").text
        hidden = (re.search(rf'name="{name}" value="([^"]+)"', page) for name in ("csrf_token", "once"))
        token, once = hidden
        assert token, "no form of this session on the page"
        tokens = {"csrf_token": token[1]} | ({"once": once[1]} if once else {})
        data = tokens | {k: v for k, v in fields.items() if v is not None}
        return self.client.post(path, data=data, headers=SAME)
