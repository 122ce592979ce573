"""Nobody's words are silently overwritten (requirement RL4).

A reading of a versioned thing carries a strong ``ETag``; a change names in ``If-Match`` the version it starts from.
A page carries the versions of what it shows in the hidden field ``version`` of its forms. Whoever comes with an
older one is told who has changed what since; on a page everything typed stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy.orm import Session

from api import once
from api.errors import VersionMismatch, VersionMissing, locale_of
from screening.core.clock import LOCAL
from screening.core.i18n import translate
from screening.queries.changes import Change, changes_of

FIELD = "version"
MOST = 5  # changes that are told
CHANGED = "Since you opened this, it has been changed: {changes}. Nothing of yours was stored; please look at it and press again."
_ETAG = re.compile(r'"(\d{1,9})"')
_OF_PAGE = re.compile(r"\d{1,9}(\.\d{1,9}){0,3}")


@dataclass(frozen=True, slots=True)
class Seen:
    """The versions somebody has seen, in the order in which the page or address names the things.

    Empty for a form that carries none: it changes nothing that anybody has written.
    """

    versions: tuple[int, ...]
    locale: str

    def check(
        self, session: Session, actual: int, *, things: Collection[UUID], now: datetime, place: int = 0
    ) -> None:
        """Raises :class:`VersionMismatch` with what has changed since, unless ``actual`` is what was seen."""
        if place >= len(self.versions) or self.versions[place] == actual:
            return
        missed = actual - self.versions[place]
        most = min(max(missed, 1), MOST)
        changes = changes_of(session, things=things, now=now, most=most)
        if not changes:
            raise VersionMismatch(also={"version": actual, "changes": []})
        told = "；".join(self._words(change) for change in changes)
        listed = [{"at": each.at.isoformat(), "by": each.by, "what": each.what} for each in changes]
        raise VersionMismatch(CHANGED, also={"version": actual, "changes": listed}, changes=told)

    def _words(self, change: Change) -> str:
        who = change.by or translate(self.locale, "the service itself")
        when = change.at.astimezone(LOCAL).strftime("%m-%d %H:%M")
        return f"{who} {when} {translate(self.locale, change.what)}"


def get_if_match(request: Request, if_match: Annotated[str | None, Header(max_length=40)] = None) -> Seen:
    """The version that a change starts from, out of ``If-Match: "7"``. Without it 428, unreadable 412."""
    if if_match is None:
        raise VersionMissing
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise VersionMismatch
    return Seen((int(found[1]),), locale_of(request))


async def get_seen(request: Request) -> Seen:
    """The versions a form was made from."""
    sent: Any = (await once.read_form(request)).get(FIELD) if once.is_form(request) else None
    locale: str = request.app.state.page_locale(request)
    if not isinstance(sent, str) or not _OF_PAGE.fullmatch(sent):
        return Seen((), locale)
    return Seen(tuple(int(each) for each in sent.split(".")), locale)


IfMatchDep = Annotated[Seen, Depends(get_if_match)]
SeenDep = Annotated[Seen, Depends(get_seen)]


def show_version(response: Response, version: int) -> None:
    """The strong ``ETag`` of what is answered."""
    response.headers["ETag"] = f'"{version}"'
