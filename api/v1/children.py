"""Children and their files."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from api.deps import ActorDep, ClockDep, LocaleDep, SessionDep, json_router, needs
from api.v1.schemas.children import (
    ChildLine,
    ChildrenOut,
    ConsentIn,
    ConsentOut,
    FactIn,
    FactOut,
    FileOut,
    IdentityOut,
    ResultOut,
    SearchIn,
)
from api.v1.schemas.common import PageSize
from screening.access import May, Part, check_may_about
from screening.actions import children as enrolment
from screening.actions import consents
from screening.models.consent import Purpose
from screening.queries import children
from screening.queries.campaigns import current_consents
from screening.queries.results import list_results

router = json_router(tags=["children"])


@router.get("/children", dependencies=[needs(May.READ_CHILDREN)])
def list_children(
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
    after: UUID | None = None,
    limit: Annotated[PageSize, Query()] = 100,
) -> ChildrenOut:
    """One page of the children in sight."""
    found = children.list_children(session, actor=actor, now=clock.now(), after=after, limit=limit)
    return ChildrenOut(
        items=[ChildLine.of(child, clock.today(), locale) for child in found],
        next=found[-1].id if len(found) == limit else None,
    )


@router.post("/children/search", dependencies=[needs(May.READ_CHILDREN)])
def search(
    body: SearchIn, session: SessionDep, actor: ActorDep, clock: ClockDep, locale: LocaleDep
) -> list[ChildLine]:
    """Children in sight with exactly this student number or name."""
    found = children.list_children(
        session, actor=actor, now=clock.now(), student_no=body.student_no, name=body.name
    )
    return [ChildLine.of(child, clock.today(), locale) for child in found]


@router.get("/children/{child_id}", dependencies=[needs(May.READ_CHILDREN)])
def show_child(
    child_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep, locale: LocaleDep
) -> FileOut | IdentityOut:
    """The file, or to somebody who only keys sheets in, the identity."""
    child = children.get_child(session, actor=actor, child_id=child_id, now=clock.now(), part=Part.IDENTITY)
    answers = {
        purpose: consent
        for (_, purpose), consent in current_consents(session, [child.id], list(Purpose)).items()
    }
    if not children.is_file_visible(session, actor=actor, child=child):
        return IdentityOut.of(child, answers, clock.today(), locale)
    facts = children.category_facts(session, child.id)
    return FileOut.of_file(child, answers, facts, clock.today(), locale)


@router.get("/children/{child_id}/results", dependencies=[needs(May.READ_SCORES)])
def show_results(child_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[ResultOut]:
    """A child's results, the newest sheet first."""
    found = list_results(session, actor=actor, child_id=child_id, now=clock.now())
    return [ResultOut.of(result) for result in found]


@router.post("/children/{child_id}/consents", status_code=201, dependencies=[needs(May.RECORD_CONSENT)])
def record_consent(
    child_id: UUID, body: ConsentIn, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> ConsentOut:
    """Write down one answer. It is added to those before it; the last one holds."""
    child = children.get_child(session, actor=actor, child_id=child_id, now=clock.now())
    check_may_about(actor, May.RECORD_CONSENT, child.organisation_id)
    consent = consents.record(
        session,
        actor=actor,
        child=child,
        purpose=body.purpose,
        status=body.status,
        text_version=body.text_version,
        channel=body.channel,
        given_on=body.given_on,
        given_by=body.given_by,
        relation=body.relation,
        now=clock.now(),
    )
    return ConsentOut.of(consent)


@router.post("/children/{child_id}/facts", status_code=201, dependencies=[needs(May.ENROL_CHILD)])
def record_fact(
    child_id: UUID, body: FactIn, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> FactOut:
    """One dated circumstance with its source. It chooses help and nothing else."""
    child = children.get_child(session, actor=actor, child_id=child_id, now=clock.now())
    check_may_about(actor, May.ENROL_CHILD, child.organisation_id)
    fact = enrolment.record_fact(
        session,
        actor=actor,
        child=child,
        fact=body.fact.value,
        since_on=body.since_on,
        source=body.source,
        now=clock.now(),
    )
    return FactOut.of(fact)
