"""Worries: whose list they are on, which school they may name, and which child a name and a class mean."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from referral.models.worry import Worry, WorryLink
from referral.terms import Custody, WorrySeen
from screening.access import May, check_may, places
from screening.core import audit, grades
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.core.sealing import Keyring, normalise
from screening.models.child import Child, Enrolment
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.campaigns import district_of

# A protected worry is outside every school's sight (domain guide §5.2b).
_SEES_PROTECTED = (Role.COUNTY_CENTRE, Role.PROTECTION_CENTRE)
_MOST_NAMESAKES = 20
_MOST_SCHOOLS = 300


@dataclass(frozen=True, slots=True)
class WorryWords:
    """What was said: whom it is about as it was typed, what was seen, and one line."""

    name: str
    class_name: str
    seen: tuple[WorrySeen, ...] = ()
    line: str = ""
    at_home: bool = field(default=False)

    def as_json(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "class": self.class_name,
                "seen": [each.value for each in self.seen],
                "line": self.line,
                "at_home": self.at_home,
            },
            ensure_ascii=False,
        )


def words_of(worry: Worry) -> WorryWords:
    """What was said, opened."""
    said: dict[str, Any] = json.loads(worry.words)
    return WorryWords(
        name=said["name"],
        class_name=said["class"],
        seen=tuple(WorrySeen(each) for each in said["seen"]),
        line=said["line"],
        at_home=said["at_home"],
    )


def worries_visible_to(actor: Actor) -> Select[Worry]:
    """Worries on the lists of this person's places; protected ones only above the school."""
    if actor.is_system:
        return select(Worry)
    own = places(actor, May.MATCH_WORRY)
    above = actor.organisations(*_SEES_PROTECTED)
    return select(Worry).where(
        or_(
            and_(Worry.custody == Custody.SCHOOL, Worry.organisation_id.in_(own)),
            and_(Worry.custody == Custody.PROTECTED, Worry.organisation_id.in_(above)),
        )
    )


def get_worry(session: Session, *, actor: Actor, worry_id: UUID, now: datetime) -> Worry:
    """The worry, or :class:`NotFound`; the reading is recorded."""
    check_may(actor, May.MATCH_WORRY)
    worry = session.scalars(worries_visible_to(actor).where(Worry.id == worry_id)).one_or_none()
    if worry is None:
        raise NotFound
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.WORRY_READ,
        at=now,
        child_id=worry.child_id,
        subject_id=worry.id,
    )
    return worry


def worries_of(session: Session, *, case_id: UUID) -> Sequence[Worry]:
    """What was said about the child of a case that was found through a scope, newest first."""
    return session.scalars(
        select(Worry).where(Worry.case_id == case_id).order_by(Worry.raised_at.desc())
    ).all()


# --- whom somebody may name --------------------------------------------------------------------------------


def schools_to_name(session: Session, *, actor: Actor) -> Sequence[Organisation]:
    """The schools whose children this person may be worried about: their own, or those of their county.

    Names of schools are public; of children nothing is shown.
    """
    check_may(actor, May.RAISE_WORRY)
    paths: set[str] = set()
    for place_id in places(actor, May.RAISE_WORRY):
        place = session.get_one(Organisation, place_id)
        paths.add(place.path if place.kind is OrganisationKind.SCHOOL else _area_of(session, place).path)
    if not paths:
        return []
    return session.scalars(
        select(Organisation)
        .where(
            Organisation.kind == OrganisationKind.SCHOOL,
            Organisation.ended_on.is_(None),
            or_(*(Organisation.path.startswith(path, autoescape=True) for path in sorted(paths))),
        )
        .order_by(Organisation.path)
        .limit(_MOST_SCHOOLS)
    ).all()


def _area_of(session: Session, place: Organisation) -> Organisation:
    """A hotline of a city answers for the whole city; a village for its county."""
    parent = session.get_one(Organisation, place.parent_id) if place.parent_id else place
    if place.kind is OrganisationKind.HOTLINE:
        return parent
    return district_of(session, place)


def school_to_name(session: Session, *, actor: Actor, school_id: UUID | None) -> Organisation:
    """One of them; the only one where there is only one. Raises :class:`NotFound`."""
    schools = schools_to_name(session, actor=actor)
    if school_id is None and len(schools) == 1:
        return schools[0]
    found = next((school for school in schools if school.id == school_id), None)
    if found is None:
        raise NotFound
    return found


# --- which child is meant ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named:
    """The child that a name and a class mean."""

    id: UUID


def child_named(
    session: Session, *, organisation: Organisation, name: str, class_name: str, today: date
) -> Named | None:
    """The one child on this school's roll with exactly this name in this class; None where there is none, or two.

    Asked by ``referral.actions.worries``, which answers the same either way: nobody is told whether a child is known.
    """
    keyring: Keyring = session.info["keyring"]
    rows = session.execute(
        select(Child.id, Enrolment.stage, Enrolment.cohort, Enrolment.class_name)
        .join(Enrolment, Enrolment.child_id == Child.id)
        .where(
            Child.name_index == keyring.blind("child.name", name),
            Enrolment.organisation_id == organisation.id,
            Enrolment.valid_to.is_(None),
        )
        .limit(_MOST_NAMESAKES)
    ).all()
    fitting = [row.id for row in rows if is_class(class_name, row.stage, row.cohort, row.class_name, today)]
    return Named(fitting[0]) if len(fitting) == 1 else None


_NUMERALS = str.maketrans("一二三四五六七八九", "123456789")


def is_class(typed: str, stage: str, cohort: int, class_name: str, today: date) -> bool:
    """Whether a class as somebody writes it (八年级三班, 初二(3)班, 803) is this one."""
    own, said = normalise(class_name).translate(_NUMERALS), normalise(typed)
    grade = grades.grade_on(grades.Stage(stage), cohort, today)
    if grade is None or not said:
        return False
    if said.translate(_NUMERALS).endswith(own) and grades.parse(said[: len(said) - len(own)]) == grade:
        return True
    number = re.fullmatch(r"([0-9]{1,2})班?", own)
    short = f"{grades.school_year(grade)}{int(number[1]):02d}" if number else None
    return short is not None and said.removesuffix("班") == short


# --- the public link ---------------------------------------------------------------------------------------


def digest_of(secret: str) -> bytes:
    """What is stored to find a link by."""
    return sha256(secret.encode()).digest()


def find_link(session: Session, *, secret: str) -> WorryLink | None:
    """The live link with this secret."""
    if not secret or len(secret) > 100:
        return None
    return session.scalars(
        select(WorryLink).where(WorryLink.digest == digest_of(secret), WorryLink.ended_at.is_(None))
    ).one_or_none()


def live_link(session: Session, *, organisation: Organisation) -> WorryLink | None:
    """The link that a school's poster shows now."""
    return session.scalars(
        select(WorryLink).where(WorryLink.organisation_id == organisation.id, WorryLink.ended_at.is_(None))
    ).one_or_none()


def count_by_link(session: Session, *, link: WorryLink, since: datetime) -> int:
    """How many worries have come by this link since then."""
    return (
        session.scalar(
            select(func.count()).select_from(Worry).where(Worry.link_id == link.id, Worry.raised_at >= since)
        )
        or 0
    )


def count_by_account(session: Session, *, account_id: UUID, now: datetime, within: timedelta) -> int:
    """How many worries one person has raised within this time."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Worry)
            .where(Worry.account_id == account_id, Worry.raised_at >= now - within)
        )
        or 0
    )
