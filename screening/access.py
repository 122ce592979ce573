"""Who may see which child, and who may do what.

One function answers "which children": :func:`children_visible_to`. Every list, count, export and paper starts
from it (requirement AZ1); what is outside does not exist. What a role may do is one table, :data:`MAY`.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, false, or_, select, true

from screening.core.actor import Actor, Role
from screening.core.errors import NotPermitted
from screening.models.campaign import Campaign
from screening.models.child import AccessGrant, Child
from screening.models.import_batch import ImportBatch
from screening.models.organisation import Organisation
from screening.models.wording import WordingPack


class Part(StrEnum):
    """How much of a file, from least to most."""

    IDENTITY = "identity"  # name, class, consent done or not: to key a sheet in
    NOTE = "note"  # the referral note as issued and what belongs to that referral
    FILE = "file"  # the child's file


_ENOUGH = {
    Part.IDENTITY: frozenset(Part),
    Part.NOTE: frozenset({Part.NOTE, Part.FILE}),
    Part.FILE: frozenset({Part.FILE}),
}

# Roles that see the children of their own organisation, and how much of them.
HOME: dict[Role, Part] = {
    Role.COUNSELLOR: Part.FILE,
    Role.SCHOOL_LEAD: Part.FILE,
    Role.ENTRY_CLERK: Part.IDENTITY,
}

# Roles that see a child only while a live grant opens it to their organisation, and at most this much.
GRANTED: dict[Role, Part] = {
    Role.COUNTY_CENTRE: Part.FILE,
    Role.PRINCIPAL: Part.NOTE,
    Role.CLINIC_INTAKE: Part.NOTE,
    Role.CLINICIAN: Part.NOTE,
    Role.FACILITY_LEAD: Part.NOTE,
}


class May(StrEnum):
    """What can be done, as verbs on nouns."""

    READ_CHILDREN = "children.read"
    ENROL_CHILD = "children.enrol"
    RECORD_CONSENT = "consents.record"
    READ_CAMPAIGNS = "campaigns.read"
    RUN_CAMPAIGN = "campaigns.run"
    APPROVE_CAMPAIGN = "campaigns.approve"
    RECORD_SHEET = "administrations.record"
    READ_SCORES = "scores.read"
    IMPORT = "imports.stage"
    READ_CASES = "cases.read"
    ASSESS = "cases.assess"
    RAISE_WORRY = "cases.raise"
    MATCH_WORRY = "worries.match"
    KEEP_WORRY_LINK = "worries.link"
    SIGN_TIER = "cases.sign"
    CONFIRM_PLAN = "plans.confirm"
    READ_REFERRALS = "referrals.read"
    SEND_REFERRAL = "referrals.send"
    ANSWER_REFERRAL = "referrals.answer"
    WRITE_RETURN_NOTE = "return_notes.write"
    READ_RETURN_NOTE = "return_notes.read"
    HANDLE_CRISIS = "crises.handle"
    STAND_DOWN = "crises.stand_down"
    FOLLOW_UP = "followups.record"
    READ_TASKS = "tasks.read"
    LOG_CALL = "calls.log"
    TRIAGE_CALL = "calls.triage"
    READ_CALLS = "calls.read"
    REVIEW_CALL = "calls.review"
    APPROVE_DISCLOSURE = "calls.approve_disclosure"
    RECEIVE_HANDOVER = "handovers.receive"
    SET_DISTRICT = "district.set"
    READ_OVERDUE = "overdue.read"
    READ_SILENT = "silent.read"
    SET_FACILITY = "facility.set"
    SET_FACILITY_CODE = "facility_codes.set"
    MANAGE_ACCOUNTS = "accounts.manage"
    READ_TRAIL = "trail.read"
    READ_GAPS = "gaps.read"
    SET_MODEL = "models.set"
    HOLD_CHECK = "checks.hold"
    KEEP_WORDING = "wordings.keep"


_SCHOOL_READING = {May.READ_CHILDREN, May.READ_CAMPAIGNS, May.READ_CASES, May.READ_REFERRALS, May.READ_TASKS}

_HOTLINE = frozenset({May.LOG_CALL, May.TRIAGE_CALL, May.READ_CALLS, May.RAISE_WORRY, May.READ_TASKS})

MAY: dict[Role, frozenset[May]] = {
    Role.COUNSELLOR: frozenset(
        _SCHOOL_READING
        | {
            May.ENROL_CHILD,
            May.RECORD_CONSENT,
            May.RUN_CAMPAIGN,
            May.RECORD_SHEET,
            May.READ_SCORES,
            May.IMPORT,
        }
        | {May.ASSESS, May.RAISE_WORRY, May.CONFIRM_PLAN, May.SEND_REFERRAL, May.READ_RETURN_NOTE}
        | {May.HANDLE_CRISIS, May.FOLLOW_UP, May.RECEIVE_HANDOVER}
        | {May.MATCH_WORRY, May.KEEP_WORRY_LINK}
    ),
    Role.SCHOOL_LEAD: frozenset(
        _SCHOOL_READING
        | {May.APPROVE_CAMPAIGN, May.RECORD_CONSENT, May.RAISE_WORRY, May.SIGN_TIER, May.SEND_REFERRAL}
        | {May.READ_RETURN_NOTE, May.HANDLE_CRISIS, May.STAND_DOWN, May.FOLLOW_UP}
        | {May.MATCH_WORRY, May.KEEP_WORRY_LINK}
    ),
    Role.PRINCIPAL: frozenset({May.READ_TASKS, May.HANDLE_CRISIS}),
    # Their list holds files only: what waits to be committed, refused rows, a row of a child nobody knows.
    Role.ENTRY_CLERK: frozenset(
        {May.READ_CHILDREN, May.READ_CAMPAIGNS, May.RECORD_SHEET, May.IMPORT, May.READ_TASKS}
    ),
    Role.CLASS_TEACHER: frozenset({May.RAISE_WORRY, May.READ_TASKS}),
    Role.COUNTY_CENTRE: frozenset(
        {May.READ_CHILDREN, May.READ_CASES, May.READ_REFERRALS, May.READ_TASKS, May.READ_SCORES, May.ASSESS}
        | {May.CONFIRM_PLAN, May.SEND_REFERRAL, May.READ_RETURN_NOTE, May.HANDLE_CRISIS, May.FOLLOW_UP}
        | {May.RAISE_WORRY, May.RECORD_CONSENT, May.RECEIVE_HANDOVER, May.READ_GAPS, May.MATCH_WORRY}
        # Of the county's own cases, which are kept from the school, nobody else could sign the second signature.
        | {May.SIGN_TIER, May.STAND_DOWN}
        # They assess children drawn by lot, and are the clinical one of the two who decide about the model.
        | {May.SET_MODEL, May.HOLD_CHECK}
        # One brings a wording in and another approves it; a county often has one officer of education.
        | {May.KEEP_WORDING}
    ),
    Role.EDU_OFFICER: frozenset(
        {May.READ_TASKS, May.SET_DISTRICT, May.READ_GAPS, May.READ_OVERDUE, May.SET_FACILITY_CODE}
        | {May.SET_MODEL, May.KEEP_WORDING}
    ),
    Role.CITY_OFFICER: frozenset({May.READ_TASKS, May.READ_GAPS, May.READ_OVERDUE}),
    Role.HEALTH_OFFICER: frozenset({May.READ_TASKS, May.READ_GAPS, May.READ_SILENT}),
    Role.CLINIC_INTAKE: frozenset(
        {May.READ_REFERRALS, May.ANSWER_REFERRAL, May.READ_TASKS, May.RECEIVE_HANDOVER}
    ),
    Role.CLINICIAN: frozenset(
        {May.READ_REFERRALS, May.ANSWER_REFERRAL, May.WRITE_RETURN_NOTE, May.READ_RETURN_NOTE, May.READ_TASKS}
        | {May.RECEIVE_HANDOVER}
    ),
    Role.FACILITY_LEAD: frozenset(
        {May.READ_REFERRALS, May.READ_TASKS, May.SET_FACILITY, May.SET_FACILITY_CODE}
    ),
    Role.HOTLINE_OPERATOR: _HOTLINE,
    Role.HOTLINE_SUPERVISOR: _HOTLINE | {May.REVIEW_CALL, May.APPROVE_DISCLOSURE},
    Role.CHILD_DIRECTOR: frozenset({May.RAISE_WORRY, May.READ_TASKS}),
    Role.CHILD_SUPERVISOR: frozenset({May.READ_TASKS}),
    Role.PROTECTION_CENTRE: frozenset({May.READ_TASKS, May.RECEIVE_HANDOVER, May.MATCH_WORRY}),
    Role.SYSADMIN: frozenset({May.MANAGE_ACCOUNTS, May.SET_FACILITY_CODE}),
    Role.AUDITOR: frozenset({May.READ_TRAIL}),
}


# Held alone: whoever manages accounts sees no child, and cannot come to see one by a second role (AZ11).
HELD_ALONE = frozenset({Role.SYSADMIN})


def go_together(roles: frozenset[Role]) -> bool:
    """Whether one account may hold all of these at the same time."""
    return len(roles) <= 1 or not roles & HELD_ALONE


def may(actor: Actor, what: May) -> bool:
    """Whether this actor's roles include it. The system acts for somebody who already did (decision 30)."""
    return actor.is_system or any(what in MAY.get(role, frozenset()) for role in actor.roles)


def check_may(actor: Actor, what: May) -> None:
    """Raises :class:`NotPermitted`."""
    if not may(actor, what):
        raise NotPermitted


def may_at(actor: Actor, what: May, organisation_id: UUID) -> bool:
    """Whether a role that includes it is held in this very organisation."""
    return actor.is_system or organisation_id in places(actor, what)


def check_may_at(actor: Actor, what: May, organisation_id: UUID) -> None:
    """The role must be held in this very organisation. Raises :class:`NotPermitted`."""
    if not may_at(actor, what, organisation_id):
        raise NotPermitted


def may_about(actor: Actor, what: May, organisation_id: UUID) -> bool:
    """Whether it is allowed about a child of this organisation who has been found through the scope.

    A role at another school says nothing about this child; a role that sees by grant is bound to no school.
    """
    return actor.is_system or any(
        what in MAY.get(g.role, frozenset()) and (g.organisation_id == organisation_id or g.role in GRANTED)
        for g in actor.grants
    )


def check_may_about(actor: Actor, what: May, organisation_id: UUID) -> None:
    """Raises :class:`NotPermitted`."""
    if not may_about(actor, what, organisation_id):
        raise NotPermitted


def places(actor: Actor, what: May) -> frozenset[UUID]:
    """The organisations in which this actor holds a role that includes ``what``."""
    return frozenset(g.organisation_id for g in actor.grants if what in MAY.get(g.role, frozenset()))


def children_visible_to(actor: Actor, part: Part = Part.FILE) -> Select[Child]:
    """The children of whom this actor may see at least ``part``."""
    if actor.is_system:
        return select(Child)
    home = [g.organisation_id for g in actor.grants if HOME.get(g.role) in _ENOUGH[part]]
    granted = [g.organisation_id for g in actor.grants if GRANTED.get(g.role) in _ENOUGH[part]]
    reasons = []
    if home:
        reasons.append(Child.organisation_id.in_(home))
    if granted:
        live = select(AccessGrant.child_id).where(
            AccessGrant.organisation_id.in_(granted),
            AccessGrant.ended_at.is_(None),
            AccessGrant.part.in_([p.value for p in _ENOUGH[part]]),
        )
        reasons.append(Child.id.in_(live))
    return select(Child).where(or_(*reasons) if reasons else false())


def visible_child_ids(actor: Actor, part: Part = Part.FILE) -> Select[UUID]:
    """The same as ids, for ``where(X.child_id.in_(…))``."""
    return children_visible_to(actor, part).with_only_columns(Child.id)


def campaigns_visible_to(actor: Actor) -> Select[Campaign]:
    """Campaigns of the organisations where this actor may read campaigns."""
    where = true() if actor.is_system else Campaign.organisation_id.in_(places(actor, May.READ_CAMPAIGNS))
    return select(Campaign).where(where)


def batches_visible_to(actor: Actor) -> Select[ImportBatch]:
    """Import batches of the organisations where this actor may import."""
    where = true() if actor.is_system else ImportBatch.organisation_id.in_(places(actor, May.IMPORT))
    return select(ImportBatch).where(where)


def wordings_visible_to(actor: Actor) -> Select[WordingPack]:
    """Wording packs of the districts in which this actor keeps them."""
    where = true() if actor.is_system else WordingPack.organisation_id.in_(places(actor, May.KEEP_WORDING))
    return select(WordingPack).where(where)


def organisations_visible_to(actor: Actor) -> Select[Organisation]:
    """The actor's own organisations and everything below them; the administrator sees the whole tree."""
    if actor.is_system or may(actor, May.MANAGE_ACCOUNTS):
        return select(Organisation)
    paths = {grant.organisation_path for grant in actor.grants}
    if not paths:
        return select(Organisation).where(false())
    return select(Organisation).where(or_(*(Organisation.path.startswith(p, autoescape=True) for p in paths)))
