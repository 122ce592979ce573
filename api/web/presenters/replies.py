"""Replies without an account in words: what was said, what to call, and what can be typed in as things stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.web.presenters import dates, words
from api.web.presenters.referral import advice_words
from referral.actions.replies import NOT_ACCEPTED, Said
from referral.actions.return_notes import WRITABLE
from referral.models.referral import Referral
from referral.models.reply import ReferralReply
from referral.terms import ReferralStatus, ReplyKind
from screening.core.i18n import translate

# What can be typed in from paper or the telephone; the missing steps before are taken with it.
_BEFORE_THE_VISIT = NOT_ACCEPTED | {
    ReferralStatus.ACCEPTED,
    ReferralStatus.SCHEDULED,
    ReferralStatus.NO_SHOW,
}
TYPABLE: dict[ReplyKind, frozenset[ReferralStatus]] = {
    ReplyKind.RECEIVED: frozenset({ReferralStatus.SENT, ReferralStatus.EXPIRED_NO_ANSWER}),
    ReplyKind.ACCEPTED: NOT_ACCEPTED,
    ReplyKind.DECLINED: NOT_ACCEPTED,
    ReplyKind.APPOINTMENT: _BEFORE_THE_VISIT,
    ReplyKind.CAME: _BEFORE_THE_VISIT,
    ReplyKind.DID_NOT_COME: _BEFORE_THE_VISIT,
    ReplyKind.IN_CARE: frozenset({ReferralStatus.ATTENDED}),
    ReplyKind.RETURN_NOTE: _BEFORE_THE_VISIT | WRITABLE,
}


def typable(status: ReferralStatus) -> list[ReplyKind]:
    """What may be typed in as the referral stands."""
    return [kind for kind in ReplyKind if status in TYPABLE[kind]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reply that nobody has verified."""

    id: UUID
    form_no: str
    facility: str
    phone: str
    kind: str
    arrived_at: datetime
    lines: tuple[tuple[str, str], ...]


def waiting(
    rows: Sequence[tuple[Referral, ReferralReply]],
    phones: Mapping[UUID, str],
    *,
    clinical: bool,
    locale: str,
) -> list[Waiting]:
    """What waits for the school's call. ``clinical``: whether this reader may see that part of a return note."""
    return [
        Waiting(
            id=reply.id,
            form_no=referral.form_no,
            facility=referral.facility.name if referral.facility else "",
            phone=phones.get(referral.id, ""),
            kind=words.word(reply.kind, locale),
            arrived_at=reply.arrived_at,
            lines=_lines(Said.from_text(reply.said), clinical, locale) if reply.said else (),
        )
        for referral, reply in rows
    ]


def _lines(said: Said, clinical: bool, locale: str) -> tuple[tuple[str, str], ...]:
    found = []
    if said.at is not None:
        found.append((translate(locale, "When"), dates.moment(said.at, locale)))
    if said.place:
        found.append((translate(locale, "Place, what to bring"), said.place))
    if said.no_show_reason is not None:
        found.append((translate(locale, "Reason"), words.word(said.no_show_reason, locale)))
    if said.note is not None:
        found += [
            (translate(locale, "Day of the visit"), dates.day(said.note.visit_on, locale)),
            (translate(locale, "What happens next"), words.word(said.note.outcome, locale)),
            (translate(locale, "Danger at present"), words.word(said.note.risk_now, locale)),
            (translate(locale, "School attendance"), words.word(said.note.attendance, locale)),
            *advice_words(said.note.advice, locale),
        ]
        if clinical:
            found += advice_words(said.note.clinical, locale)
    return tuple(found)
