"""What is typed into a long form is kept on the server, sealed, for its author alone, until the form is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from referral.models.case import Case
from referral.models.form_draft import FormDraft
from screening.core.actor import Actor
from screening.core.errors import InvalidInput, NotPermitted

TALK, FOLLOW_UP = "talk", "follow_up"
FORMS = frozenset({TALK, FOLLOW_UP})
LONGEST = 40_000
# What belongs to the page and not to what somebody has typed.
_OURS = frozenset({"csrf_token", "draft", "enter"})


def find(session: Session, *, actor: Actor, case: Case, form: str) -> FormDraft | None:
    """This author's unsent form on this case; nobody else's."""
    return session.scalars(
        select(FormDraft).where(
            FormDraft.account_id == actor.account_id, FormDraft.case_id == case.id, FormDraft.form == form
        )
    ).one_or_none()


def fields_of(draft: FormDraft) -> dict[str, list[str]]:
    """What was typed, by field."""
    fields: dict[str, list[str]] = json.loads(draft.fields)
    return fields


def save(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    form: str,
    fields: Mapping[str, Sequence[str]],
    now: datetime,
) -> None:
    """Keep what stands in the form now. The last one holds; no other history is kept of what was not sent."""
    if actor.account_id is None:
        raise NotPermitted
    kept = {name: list(values) for name, values in fields.items() if name not in _OURS}
    text = json.dumps(kept, ensure_ascii=False)
    if form not in FORMS or len(text) > LONGEST:
        raise InvalidInput("This form is too long to be kept.")
    draft = find(session, actor=actor, case=case, form=form)
    if draft is None:
        draft = FormDraft(account_id=actor.account_id, case_id=case.id, form=form)
        session.add(draft)
    draft.fields, draft.saved_at = text, now


def drop(session: Session, *, actor: Actor, case: Case, form: str) -> None:
    """The form was sent, or its author throws it away."""
    draft = find(session, actor=actor, case=case, form=form)
    if draft is not None:
        session.delete(draft)


def drop_all(session: Session, *, case: Case) -> None:
    """The case is closed: nobody sends these any more."""
    session.execute(delete(FormDraft).where(FormDraft.case_id == case.id))
