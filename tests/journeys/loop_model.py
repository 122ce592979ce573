"""A small plain model of the loop: what must be true after each press, said a second time and in few words.

It knows children, cases, plan versions, referrals, grants and crises, and its own copy of the table of referral
steps. It never reads the product's tables of states: what is wrong there must be seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

LEVELS = ("none", "elevated", "high", "crisis_item")

# Press → from which status to which (domain guide §3.7 with decision 40). "expired": an answer that comes late counts.
UNSENT = ("draft", "awaiting_guardian", "ready", "guardian_refused")
WITH_FACILITY = ("sent", "received", "expired_no_answer")
STEPS: dict[str, dict[str, str]] = {
    "receive": {"sent": "received", "expired_no_answer": "received"},
    # A facility that asked something may also answer without waiting for it.
    "accept": dict.fromkeys((*WITH_FACILITY, "info_requested"), "accepted"),
    "decline": dict.fromkeys((*WITH_FACILITY, "info_requested"), "declined"),
    "ask_more": dict.fromkeys(WITH_FACILITY, "info_requested"),
    "tell_more": {"info_requested": "received"},
    "schedule": dict.fromkeys(("accepted", "scheduled", "no_show"), "scheduled"),
    "attended": {"scheduled": "attended"},
    "no_show": {"scheduled": "no_show"},
    "take_into_care": {"attended": "in_care"},
    "return_note": dict.fromkeys(
        ("attended", "in_care", "returned", "acknowledged", "completed"), "returned"
    ),
    "acknowledge": {"returned": "acknowledged"},
    "complete": {"acknowledged": "completed"},
    "withdraw": dict.fromkeys(
        (
            *UNSENT,
            *WITH_FACILITY,
            "info_requested",
            "accepted",
            "declined",
            "scheduled",
            "no_show",
        ),
        "withdrawn",
    ),
    "agree": dict.fromkeys(("draft", "awaiting_guardian", "guardian_refused"), "ready"),
    "refuse": dict.fromkeys(("draft", "awaiting_guardian", "guardian_refused"), "guardian_refused"),
    "send": dict.fromkeys(("draft", "awaiting_guardian", "ready"), "sent"),
    "send_emergency": dict.fromkeys(UNSENT, "sent"),
    "reroute": dict.fromkeys(("declined", "expired_no_answer"), "rerouted"),
    "ask_second_too": {"expired_no_answer": "expired_no_answer"},
    "tell_guardian": {},
    "hold": {},
}
ENDED = frozenset({"completed", "rerouted", "withdrawn"})
# While the referral stands so, the facility sees the child.
SEEN_BY_FACILITY = frozenset(
    {
        "sent",
        "received",
        "info_requested",
        "expired_no_answer",
        "accepted",
        "scheduled",
        "no_show",
        "attended",
        "in_care",
        "returned",
        "acknowledged",
    }
)
# What somebody has to be asked for while a referral stands so: one of these kinds.
ASKED: dict[str, tuple[str, ...]] = {
    "draft": ("referral_send",),
    "awaiting_guardian": ("referral_send",),
    "ready": ("referral_send",),
    "guardian_refused": ("guardian_second_talk",),
    "sent": ("referral_answer",),
    "received": ("referral_answer", "referral_reroute"),
    "info_requested": ("referral_update",),
    "expired_no_answer": ("referral_reroute",),
    "declined": ("referral_reroute",),
    "accepted": ("appointment",),
    "scheduled": ("attendance_check",),
    "no_show": ("no_show_contact",),
    "attended": ("return_note",),
    "in_care": ("return_note",),
    "returned": ("return_note_read",),
}
# What a line about a referral asks for is a question only while the referral stands so.
ONLY_WHILE: dict[str, tuple[str, ...]] = {
    "referral_send": UNSENT,
    "referral_hold": UNSENT,
    "guardian_agreement": UNSENT,
    "guardian_second_talk": ("guardian_refused",),
    "referral_answer": ("sent", "received"),
    "referral_reroute": ("declined", "expired_no_answer", "received"),
    "appointment": ("accepted", "no_show"),
    "attendance_check": ("scheduled",),
    "return_note": ("attended", "in_care"),
    "return_note_read": ("returned",),
}
# Lines that may outlive their referral: the paper is still being printed, a place is missing in the county.
OUTLIVES = frozenset({"note_overdue", "service_gap", "glyph_missing", "referral_ended"})

SCHOOL = ("counsellor", "lead", "centre")  # may send, hold, withdraw, reroute, acknowledge
ASSESSORS = ("counsellor", "centre")
CRISIS_HANDS = ("counsellor", "lead", "principal", "centre")
BY_FACILITY = frozenset(
    {"receive", "accept", "decline", "ask_more", "schedule", "attended", "no_show", "take_into_care"}
)
STAND_DOWN_STEPS = ("child_safe", "guardian_reached", "professional_reached", "handed_over")


@dataclass(slots=True)
class Ref:
    """A referral."""

    id: UUID
    place: str | None
    urgency: str
    status: str
    told: bool = False
    holds: int = 0
    held_until: date | None = None
    asked_at: datetime | None = None
    words: bool = False  # the school has written part 2 of the note
    granted: bool = False

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED

    @property
    def is_unsent(self) -> bool:
        return self.status in UNSENT

    def to(self, status: str) -> None:
        """The step, and the facility's view that begins or ends with it."""
        self.status = status
        if status == "sent":
            self.granted = True
        elif status in ENDED or status == "declined":
            self.granted = False


@dataclass(slots=True)
class Crisis:
    """An episode."""

    id: UUID
    taken_by: str | None = None
    steps: dict[str, str] = field(default_factory=dict)
    over: bool = False
    opened_file: bool = False  # the county has taken it and sees the child for as long as it lasts


@dataclass(slots=True)
class File:
    """A case."""

    id: UUID
    status: str = "intake"
    tier: str | None = None
    worst: str | None = None
    plans: int = 0
    plan: str | None = None
    refs: list[Ref] = field(default_factory=list)
    crises: list[Crisis] = field(default_factory=list)
    seen: bool = False  # somebody has held a talk: what was seen has to stand on the note
    talk: bool = False  # somebody has to see the child
    talk_stands: bool = False  # nothing newer than the last talk has been answered
    passed: bool = False  # to the county centre
    unsigned_by: str | None = None

    @property
    def crisis(self) -> Crisis | None:
        return next((c for c in self.crises if not c.over), None)

    @property
    def living(self) -> Ref | None:
        """The referral that goes on: of two, not the one whose facility was silent, else the newer."""
        opened = [ref for ref in self.refs if ref.is_open]
        answering = [ref for ref in opened if ref.status != "expired_no_answer"]
        return next(reversed(answering or opened), None)

    def may_leave(self, ref: Ref) -> bool:
        """Whoever has seen the child says what was seen, but an emergency waits for no paper."""
        return ref.words or not self.seen or ref.urgency == "emergency"

    def asked_since(self, ref: Ref) -> bool:
        """Another facility has been asked after this one, and that goes on."""
        return any(later.is_open for later in self.refs[self.refs.index(ref) + 1 :])


@dataclass(slots=True)
class Kid:
    """A child of the roll."""

    pupil: object
    number: str
    name: str
    screening: bool | None
    share: bool | None
    harm: str | None = None
    file: File | None = None
    former: list[File] = field(default_factory=list)
    taken: set[tuple[str, str, date]] = field(default_factory=set)
    waits_without_case: bool = False  # elevated: somebody has to look, no case yet

    @property
    def files(self) -> Iterator[File]:
        yield from self.former
        if self.file is not None:
            yield self.file


def worst(*levels: str | None) -> str | None:
    known = [level for level in levels if level is not None]
    return max(known, key=LEVELS.index) if known else None


def may_step(kid: Kid, file: File, ref: Ref, press: str, who: str, staff: dict[str, tuple[str, ...]]) -> bool:
    """Whether this press of this person is possible now."""
    if press in BY_FACILITY:
        if ref.place is None or who not in staff[ref.place]:
            return False
        if press == "receive":
            return True
    elif press == "return_note":
        if ref.place is None or who != staff[ref.place][1]:
            return False
    elif who not in SCHOOL:
        return False
    if press == "tell_guardian":
        return True
    if press == "hold":
        return ref.is_unsent and (ref.holds == 0 or who == "lead")
    if ref.status not in STEPS[press]:
        return False
    return _guards(kid, file, ref, press)


def _guards(kid: Kid, file: File, ref: Ref, press: str) -> bool:
    if press == "decline":
        return ref.urgency != "emergency"
    if press == "send":
        return bool(kid.share) and ref.place is not None and file.may_leave(ref)
    if press == "send_emergency":
        return ref.urgency == "emergency" and ref.place is not None
    if press == "complete":
        return file.plan != "review_due"
    if press in ("reroute", "ask_second_too"):
        return not file.asked_since(ref)
    return True


def others_give_way(file: File, ref: Ref) -> None:
    """The first that accepts has the child; whoever else was asked and has not seen it is told so."""
    for other in file.refs:
        if other is not ref and other.is_open and other.status in STEPS["withdraw"]:
            other.to("withdrawn")


def may_stand_down(crisis: Crisis, who: str) -> bool:
    blocked = {step for step, result in crisis.steps.items() if result == "blocked"}
    return (
        not crisis.over
        and who == "lead"
        and crisis.taken_by not in (None, "lead")
        and set(STAND_DOWN_STEPS) <= set(crisis.steps)
        and blocked <= {"guardian_reached"}
    )


@dataclass(slots=True)
class Model:
    """Everything that must be so."""

    kids: list[Kid] = field(default_factory=list)
    at_once: bool = False
    left_unseen: list[tuple[str, datetime]] = field(default_factory=list)
    results: set[UUID] = field(default_factory=set)
    sightings: set[UUID] = field(default_factory=set)

    def unseen_this_week(self, place: str | None, now: datetime) -> int:
        return sum(where == place and at >= now - timedelta(days=7) for where, at in self.left_unseen)

    def of(self, ref_id: UUID) -> tuple[Kid, File, Ref]:
        for kid in self.kids:
            for file in kid.files:
                for ref in file.refs:
                    if ref.id == ref_id:
                        return kid, file, ref
        raise KeyError(ref_id)
