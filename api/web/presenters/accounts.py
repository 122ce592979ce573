"""Accounts and posts in words, for whoever looks after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from api.web.presenters import dates, words
from referral.queries.work import Work
from screening.core.actor import Role
from screening.core.i18n import translate
from screening.models.account import Account, RoleGrant
from screening.models.organisation import Organisation
from screening.queries.staff import StaffLine


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One line of the list."""

    id: UUID
    username: str
    name: str
    posts: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class PostView:
    """One role of an account, running or over."""

    id: UUID
    role: str
    place: str
    since: str
    until: str
    reason: str
    approved_by: str
    live: bool


@dataclass(frozen=True, slots=True)
class WorkView:
    """What somebody else has to take over at one place: counts, never who it is about."""

    place_id: UUID
    place: str
    cases: int
    tasks: int
    able: tuple[tuple[UUID, str], ...]


def state(account: Account, locale: str) -> str:
    """Whether somebody can sign in with it."""
    if account.disabled_at is not None:
        return translate(locale, "Account closed")
    if account.must_change_password:
        return translate(locale, "Start password not changed yet")
    return translate(locale, "Account open")


def rows(lines: Sequence[StaffLine], locale: str) -> list[AccountRow]:
    """The list of accounts."""
    return [
        AccountRow(
            id=line.account.id,
            username=line.account.username,
            name=line.account.name,
            posts=tuple(
                f"{words.post(grant.role, locale)} · {grant.organisation.name}" for grant in line.grants
            ),
            state=state(line.account, locale),
        )
        for line in lines
    ]


def posts(grants: Sequence[RoleGrant], names: Mapping[UUID, str], today: date, locale: str) -> list[PostView]:
    """The roles of one account, those that run first."""
    found = [
        PostView(
            id=grant.id,
            role=words.post(grant.role, locale),
            place=grant.organisation.name,
            since=dates.full_day(grant.valid_from, locale),
            until=dates.full_day(grant.valid_to, locale) if grant.valid_to else "",
            reason=grant.reason,
            approved_by=names.get(grant.approved_by, "") if grant.approved_by else "",
            live=grant.valid_to is None or grant.valid_to >= today,
        )
        for grant in grants
    ]
    return sorted(found, key=lambda post: not post.live)


def work(works: Sequence[tuple[Work, Sequence[Account]]]) -> list[WorkView]:
    """The handover form, place by place."""
    return [
        WorkView(
            place_id=each.place.id,
            place=each.place.name,
            cases=len(each.cases),
            tasks=len(each.tasks),
            able=tuple((person.id, f"{person.name} ({person.username})") for person in able),
        )
        for each, able in works
    ]


def roles(locale: str) -> list[tuple[str, str]]:
    """All roles for a choice."""
    return [(role.value, words.post(role, locale)) for role in Role]


def tree(organisations: Sequence[Organisation]) -> list[tuple[Organisation, int]]:
    """Organisations in the order of the tree with their depth."""
    return [(each, each.path.count("/") - 2) for each in organisations]
