"""The made-up county with a 12355 line, a second school and a protection centre, for tests of the hotline."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import handovers, hotline, lookups
from referral.actions.handovers import HandoverIn
from referral.actions.lookups import KnownChild
from referral.models.hotline import HandoverRecord, HotlineCall
from referral.models.task import Task
from referral.queries.hotline import Asked, get_call
from referral.terms import CallerAgreement, CallLevel, CallStatus, HandoverTo, TaskKind
from screening.actions import organisations
from screening.core.actor import Actor, Role
from screening.core.clock import FixedClock
from screening.core.db import Database
from screening.models.organisation import OrganisationKind
from tests.referral.county import County, Pupil

STAFF = (
    ("operator", "叶清欢", Role.HOTLINE_OPERATOR, "hotline"),
    ("colleague", "方若谷", Role.HOTLINE_OPERATOR, "hotline"),
    ("supervisor", "钟鸣", Role.HOTLINE_SUPERVISOR, "hotline"),
    ("elsewhere", "池鱼", Role.HOTLINE_OPERATOR, "hotline2"),
    ("protection", "温如玉", Role.PROTECTION_CENTRE, "county"),
    ("neighbour", "秦淮", Role.COUNSELLOR, "school2"),
)


class Switchboard(County):
    """What people at the hotline do, each in a transaction of its own."""

    def __init__(self, database: Database, clock: FixedClock) -> None:
        super().__init__(database, clock)
        kinds = OrganisationKind
        with database.begin() as session:
            for code, kind, name, parent in (
                ("hotline", kinds.HOTLINE, "青江市12355青少年服务台", "city"),
                ("hotline2", kinds.HOTLINE, "另一个服务台", "city"),
                ("school2", kinds.SCHOOL, "白石县实验中学", "county"),
            ):
                self.places[code] = organisations.add(
                    session,
                    actor=Actor.system(),
                    kind=kind,
                    code=code,
                    name=name,
                    parent=self.places[parent],
                    phone=f"0571-{len(self.places):07d}",
                    now=clock.now(),
                )
            session.flush()
            for username, name, role, place in STAFF:
                self.hire(session, username, name, role, place)

    def call(self, session: Session, call_id: UUID, by: str = "operator") -> HotlineCall:
        return get_call(session, actor=self.actors[by], call_id=call_id, now=self.clock.now())

    def ring(self, level: CallLevel | None = None, *, by: str = "operator", **fields: object) -> UUID:
        """A new call, with this level and these fields."""
        with self.database.begin() as session:
            call = hotline.start_call(
                session, actor=self.actors[by], hotline_id=self.places["hotline"].id, now=self.clock.now()
            )
            call_id = call.id
        if fields:
            self.save(call_id, 1, by=by, **fields)
        if level is not None:
            self.triage(call_id, level, by=by)
        return call_id

    def save(self, call_id: UUID, sequence: int, *, by: str = "operator", **fields: object) -> hotline.Saved:
        with self.database.begin() as session:
            return hotline.save(
                session,
                actor=self.actors[by],
                call=self.call(session, call_id, by),
                fields=fields,
                sequence=sequence,
                now=self.clock.now(),
            )

    def triage(self, call_id: UUID, level: CallLevel, *, by: str = "operator") -> None:
        self.do(hotline.triage, call_id, by=by, level=level)

    def do(self, action: Any, call_id: UUID, *, by: str = "operator", **more: Any) -> Any:
        """Any action on a call."""
        with self.database.begin() as session:
            return action(
                session,
                actor=self.actors[by],
                call=self.call(session, call_id, by),
                now=self.clock.now(),
                **more,
            )

    def hand_over(self, call_id: UUID, to: HandoverTo, *, by: str = "operator", **more: Any) -> UUID:
        """Hand over, by default with the caller's yes and the county's school as the place."""
        values: dict[str, Any] = {
            "agreed": CallerAgreement.YES,
            "what_said": "孩子说今晚不想活了,手边有药。",
            "place": self.places["school"],
        }
        with self.database.begin() as session:
            row = handovers.hand_over(
                session,
                actor=self.actors[by],
                call=self.call(session, call_id, by),
                handover=HandoverIn(to=to, **{**values, **more}),
                now=self.clock.now(),
            )
            return row.id

    def ask(self, call_id: UUID, *, by: str = "operator", **asked: Any) -> KnownChild:
        return self.do(lookups.known_child, call_id, by=by, asked=Asked(**asked))

    def link(self, call_id: UUID, pupil: Pupil) -> UUID:
        """Look for the pupil by name and school, and link the match."""
        known = self.ask(call_id, name=pupil.name, school="白石一中")
        with self.database.begin() as session:
            return lookups.link(
                session,
                actor=self.actors["operator"],
                call=self.call(session, call_id),
                lookup_id=known.lookup_id,
                now=self.clock.now(),
            ).id

    def status(self, call_id: UUID) -> CallStatus:
        with self.database.look() as session:
            return session.get_one(HotlineCall, call_id).status

    def handover(self, session: Session, handover_id: UUID) -> HandoverRecord:
        return session.get_one(HandoverRecord, handover_id)

    def line(self, kind: TaskKind, subject_id: UUID) -> Task | None:
        """The open task of a kind about a call or a handover."""
        with self.database.look() as session:
            task = session.scalars(
                select(Task).where(Task.kind == kind, Task.subject_id == subject_id, Task.done_at.is_(None))
            ).one_or_none()
            if task is not None:
                session.expunge(task)
            return task
