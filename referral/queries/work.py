"""What one account answers for, in counts by place: shown to whoever closes the account, who sees no child."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.task import Task
from referral.terms import TaskKind, Tier
from risk_model import Level
from screening.access import MAY, May
from screening.core.actor import Grant, Role
from screening.core.clock import local_day
from screening.models.account import Account, RoleGrant
from screening.models.organisation import Organisation
from screening.queries.accounts import live_grants
from screening.queries.staff import colleagues

# Who can do the work of a post, the natural successor first; the post itself always can.
SUCCESSORS: dict[Role, tuple[Role, ...]] = {
    Role.COUNSELLOR: (Role.COUNSELLOR, Role.SCHOOL_LEAD),
    Role.SCHOOL_LEAD: (Role.SCHOOL_LEAD, Role.COUNSELLOR),
    Role.PRINCIPAL: (Role.PRINCIPAL, Role.SCHOOL_LEAD),
    Role.CLASS_TEACHER: (Role.CLASS_TEACHER, Role.COUNSELLOR, Role.SCHOOL_LEAD),
    Role.ENTRY_CLERK: (Role.ENTRY_CLERK, Role.COUNSELLOR),
    Role.CLINIC_INTAKE: (Role.CLINIC_INTAKE, Role.CLINICIAN),
    Role.FACILITY_LEAD: (Role.FACILITY_LEAD, Role.CLINIC_INTAKE, Role.CLINICIAN),
    Role.HOTLINE_OPERATOR: (Role.HOTLINE_OPERATOR, Role.HOTLINE_SUPERVISOR),
    Role.CHILD_DIRECTOR: (Role.CHILD_DIRECTOR, Role.CHILD_SUPERVISOR),
    Role.PROTECTION_CENTRE: (Role.PROTECTION_CENTRE, Role.COUNTY_CENTRE),
}
# These do not wait until somebody has chosen a successor (domain guide §3.10, scenario A17).
URGENT_TIERS = frozenset({Tier.CRISIS, Tier.FOCUS})
URGENT_KINDS = frozenset(
    {
        TaskKind.CRISIS_ACKNOWLEDGE,
        TaskKind.WORRY_NOW,
        TaskKind.CRISIS_STEP,
        TaskKind.SAME_DAY_TALK,
        TaskKind.MANDATORY_REPORT,
        TaskKind.HANDOVER_ACKNOWLEDGE,
    }
)


@dataclass(slots=True)
class Work:
    """What an account owns at one place. ``tasks`` are lines that hang on no case of its own."""

    place: Organisation
    roles: frozenset[Role]
    cases: list[Case] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.cases) + len(self.tasks)


def open_work(
    session: Session,
    *,
    account: Account,
    now: datetime,
    without: UUID | None = None,
    held_on: date | None = None,
) -> list[Work]:
    """Open cases and tasks by the place at which somebody else can take them.

    ``without``: the id of a role that is about to end, or has; only what no other role of the account covers is
    returned. ``held_on``: the day whose roles say where the work lay, today if not given.
    """
    grants = live_grants(session, account_id=account.id, today=local_day(now), but=without)
    cases = session.scalars(
        select(Case).where(Case.owner_id == account.id, Case.closed_at.is_(None)).order_by(Case.opened_at)
    ).all()
    owned = {case.id for case in cases}
    tasks = [
        task
        for task in session.scalars(
            select(Task).where(Task.owner_id == account.id, Task.done_at.is_(None)).order_by(Task.due_at)
        )
        if task.case_id not in owned
    ]
    held = live_grants(session, account_id=account.id, today=held_on or local_day(now))
    places = _places(session, [*cases, *tasks])
    found: dict[UUID, Work] = {}
    for case in cases:
        place = places[case.organisation_id]
        if without is None or not _covers(grants, place, May.READ_CASES):
            _at(session, found, held, place).cases.append(case)
    for task in tasks:
        place = places[task.organisation_id]
        if without is None or not _covers(grants, place, May.READ_TASKS):
            _at(session, found, held, place).tasks.append(task)
    return sorted(found.values(), key=lambda work: work.place.path)


def _places(session: Session, things: Iterable[Case | Task]) -> dict[UUID, Organisation]:
    ids = {thing.organisation_id for thing in things}
    return {row.id: row for row in session.scalars(select(Organisation).where(Organisation.id.in_(ids)))}


def _covers(grants: Sequence[Grant], place: Organisation, what: May) -> bool:
    return any(
        place.path.startswith(grant.organisation_path) and what in MAY.get(grant.role, frozenset())
        for grant in grants
    )


def _at(session: Session, found: dict[UUID, Work], held: Sequence[Grant], place: Organisation) -> Work:
    """The account's post nearest to where the work lies: a case passed up is the county centre's to hand on."""
    near = [grant for grant in held if place.path.startswith(grant.organisation_path)]
    if near:
        path = max((grant.organisation_path for grant in near), key=len)
        place = session.get_one(
            Organisation, next(g.organisation_id for g in near if g.organisation_path == path)
        )
    roles = frozenset(grant.role for grant in near if grant.organisation_id == place.id)
    return found.setdefault(place.id, Work(place, roles))


def left_behind(session: Session, *, now: datetime) -> Sequence[tuple[Account, RoleGrant]]:
    """Who owns open work, or stands in for it, after a post of theirs has ended by its date; the latest end first.

    Whether another post of theirs covers it is for :func:`open_work` to say.
    """
    today = local_day(now)
    owns = or_(
        exists().where(
            Case.closed_at.is_(None), or_(Case.owner_id == Account.id, Case.backup_id == Account.id)
        ),
        exists().where(
            Task.done_at.is_(None), or_(Task.owner_id == Account.id, Task.backup_id == Account.id)
        ),
    )
    rows = session.execute(
        select(Account, RoleGrant)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.valid_to < today, owns)
        .order_by(RoleGrant.valid_to.desc(), RoleGrant.id)
    )
    return [(row[0], row[1]) for row in rows]


def successors(session: Session, *, work: Work, account: Account, now: datetime) -> list[Account]:
    """Colleagues of the same place who can do this work, the lead first where a child may be in danger."""
    wanted: dict[Role, None] = {}
    for role in sorted(work.roles):
        wanted |= dict.fromkeys(SUCCESSORS.get(role, (role,)))
    if work.cases:
        wanted = {role: None for role in wanted or Role if May.READ_CASES in MAY[role]}
    elif not wanted:
        wanted = {role: None for role in Role if May.READ_TASKS in MAY[role]}
    staff = colleagues(session, organisation_id=work.place.id, today=local_day(now), but=account.id)
    found = {person.id: person for role in wanted for person, held in staff if held is role}
    return list(found.values())


def lead_first(session: Session, *, work: Work, account: Account, now: datetime) -> Account | None:
    """To whom danger falls at once: the school's lead, else the first who can do the work."""
    staff = colleagues(session, organisation_id=work.place.id, today=local_day(now), but=account.id)
    leads = [person for person, role in staff if role is Role.SCHOOL_LEAD]
    return next(iter([*leads, *successors(session, work=work, account=account, now=now)]), None)


def urgent_cases(session: Session, *, cases: Sequence[Case]) -> list[Case]:
    """Of these: crisis and focus by a person's word, an episode nobody has stood down, danger nobody has judged."""
    ids = [case.id for case in cases]
    open_episodes = set(
        session.scalars(
            select(CrisisEpisode.case_id).where(
                CrisisEpisode.case_id.in_(ids), CrisisEpisode.stood_down_at.is_(None)
            )
        )
    )
    return [
        case
        for case in cases
        if case.tier in URGENT_TIERS
        or case.id in open_episodes
        or (case.tier is None and case.worst_level is Level.CRISIS_ITEM)
    ]
