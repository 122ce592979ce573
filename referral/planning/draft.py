"""The draft plan: rules applied to facts, in the order S, A, C, D, then what R-Q1 to R-Q3 do to the result.

R-L1 to R-L3 frame the automatic draft: whether and how urgently a referral is drafted, that there is never a
second one, and what waits until a person has asked who may be hurting the child.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from referral.planning.facts import PlanFacts, referral_urgency
from referral.planning.library import (
    REFERRAL_COMPONENT,
    Choice,
    Component,
    Condition,
    Menu,
    PlanRules,
    Rule,
    Words,
)
from referral.terms import ActionStatus, Area, FollowUpTemplate, HarmAnswer, TaskKind, Tier, Urgency
from screening.core.actor import Role

SHARE_FACILITY = "share_facility"
_TIER_FOLLOW_UP = {
    Tier.CRISIS: FollowUpTemplate.CRISIS,
    Tier.FOCUS: FollowUpTemplate.FOCUS,
    Tier.WATCH: FollowUpTemplate.WATCH,
}


class SkipReason(StrEnum):
    """Why a component a rule asked for is not in the draft."""

    EXCLUDED = "excluded"  # another rule keeps it out
    HARM_NOT_ANSWERED = "harm_not_answered"  # R-L3
    NOT_FOR_TIER = "not_for_tier"
    NOT_FOR_AGE = "not_for_age"
    NO_SKILL = "no_skill"  # R-Q1
    REPLACED = "replaced"  # R-A5


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One line of the draft. ``because``: the facts that fired ``rule``, for ``fact_words``."""

    component: str
    rule: str
    because: tuple[str, ...]
    status: ActionStatus
    who: Role
    dose: Words
    review_days: int | None
    starts_at_once: bool = False
    off_note: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A component that was asked for and not taken; ``by``: the rule that kept it out."""

    component: str
    rule: str
    reason: SkipReason
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceGap:
    """A component nobody here can offer. The caller adds place and date."""

    component: str
    rule: str


@dataclass(frozen=True, slots=True)
class ReferralNeed:
    """A referral to draft. ``offered``: a higher urgency that a rule suggests and only a person sets."""

    urgency: Urgency
    why: tuple[str, ...]
    rules: tuple[str, ...]
    offered: Urgency | None = None


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """What the rules propose.

    ``need`` says how urgent a referral the facts ask for. ``referral`` is the one to draft: the need, unless a
    referral is open or the child is in care. Then ``update_only`` is true (R-L2): an unsent draft takes on the
    need's urgency if that is higher, a facility that has the child gets an update, and ``tasks`` asks for the
    plan to be reviewed the same day. ``parked`` waits for the next review (R-Q2). ``guardian_blocked``: nothing may go to a guardian by itself.
    """

    working_tier: Tier
    actions: tuple[PlannedAction, ...]
    parked: tuple[PlannedAction, ...]
    gaps: tuple[ServiceGap, ...]
    skipped: tuple[Skipped, ...]
    need: ReferralNeed | None
    update_only: bool
    tasks: tuple[TaskKind, ...]
    follow_up: FollowUpTemplate | None
    advice: tuple[str, ...]
    guardian_blocked: bool
    rules: tuple[str, ...]

    @property
    def referral(self) -> ReferralNeed | None:
        return None if self.update_only else self.need

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(action.component for action in self.actions)


@dataclass(frozen=True, slots=True)
class _Fired:
    """A rule that holds, with the facts that make it hold."""

    rule: Rule
    why: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    """What is being put together; lives for one call of ``draft_plan``."""

    facts: PlanFacts
    menu: Menu
    rules: PlanRules
    fired: tuple[_Fired, ...]
    banned: dict[str, str]  # component → the rule that keeps it out
    held: frozenset[str]  # kinds that wait for the answer about harm
    by_sandplay: tuple[str, ...] | None  # the facts of R-A5, when it holds
    chosen: dict[str, PlannedAction] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    gaps: list[ServiceGap] = field(default_factory=list)
    asked: list[tuple[Urgency, _Fired]] = field(default_factory=list)

    def holds(self, condition: Condition | None) -> tuple[str, ...] | None:
        """The facts that make a condition hold; none needed for no condition; None when it does not hold."""
        if condition is None:
            return ()
        return condition.why(self.facts, group_fills_from=self.rules.group_fills_from)

    def skip(self, component: Component, rule: Rule, reason: SkipReason, by: str | None = None) -> None:
        self.skipped.append(Skipped(component.code, rule.id, reason, by))


def draft_plan(facts: PlanFacts, menu: Menu, rules: PlanRules) -> PlanDraft:
    """The plan that the rules propose for these facts. The same facts give the same draft, line by line."""
    work = _begin(facts, menu, rules)
    for each in work.fired:
        _apply(work, each)
    if not _child_is_helped(work):
        for rule in _of_priority(rules, "D"):
            why = work.holds(rule.when)
            if why is not None:
                _apply(work, _Fired(rule, (*why, "nothing_chosen")))
    need = _need(work)
    update_only = need is not None and (facts.referral_open or facts.in_care)
    if need is not None and not update_only:
        _add(work, menu[REFERRAL_COMPONENT], rules.rules[need.rules[0]], need.why)
    kept, parked = _capped(work)
    urgency = need.urgency if need else None
    actions = tuple(_with_consent(action, work, urgency) for action in kept)
    blocked = bool(_family_bans(work.fired, work))
    return PlanDraft(
        working_tier=facts.working_tier,
        actions=actions,
        parked=parked,
        gaps=tuple(work.gaps),
        skipped=tuple(work.skipped),
        need=need,
        update_only=update_only,
        tasks=_tasks(work, actions, update_only=update_only, guardian_blocked=blocked),
        follow_up=_follow_up(work),
        advice=tuple(dict.fromkeys(code for each in work.fired for code in each.rule.advice)),
        guardian_blocked=blocked,
        rules=_used(work, need, update_only=update_only, actions=actions, parked=parked),
    )


# --- Which rules hold, and what they keep out ------------------------------------------------------------


def _begin(facts: PlanFacts, menu: Menu, rules: PlanRules) -> _Work:
    work = _Work(facts, menu, rules, (), {}, frozenset(), None)
    work.fired = (
        *_firing(work, "S"),
        *sorted(_firing(work, "A"), key=lambda each: -_excess(each, facts)),
        *_firing(work, "C"),
    )
    work.by_sandplay = next((each.why for each in work.fired if each.rule.id == "R-A5"), None)
    work.held = _held(facts, rules)
    family = _family_bans(work.fired, work)
    for code, component in menu.items():
        for each in work.fired:
            if component.kind in each.rule.never_kinds or code in each.rule.never_components:
                work.banned.setdefault(code, each.rule.id)
        if family and component.kind in rules.family_kinds:
            work.banned.setdefault(code, family[0])
    return work


def _of_priority(rules: PlanRules, letter: str) -> Iterator[Rule]:
    return (rule for rule in rules.rules.values() if rule.priority == letter)


def _firing(work: _Work, letter: str) -> Iterator[_Fired]:
    for rule in _of_priority(work.rules, letter):
        why = work.holds(rule.when)
        if why is not None:
            yield _Fired(rule, why)


def _excess(fired: _Fired, facts: PlanFacts) -> float:
    """How far the rule's furthest area is over its cut. Sorting by it keeps the file's order for ties."""
    areas = [reason.removeprefix("area:") for reason in fired.why if reason.startswith("area:")]
    return max((facts.excess(Area(area)) for area in areas), default=0.0)


def _held(facts: PlanFacts, rules: PlanRules) -> frozenset[str]:
    """R-L3. An assessment that left the question open holds them too: the answer counts, not the form."""
    if facts.harm_answer is None:
        return rules.held_until_harm_is_known
    return rules.held_while_harm_is_unclear if facts.harm_answer is HarmAnswer.UNCLEAR else frozenset()


def _family_bans(fired: Iterable[_Fired], work: _Work) -> list[str]:
    """The rules that keep the family out, because the suspected person may be in it."""
    return [
        each.rule.id
        for each in fired
        if each.rule.not_family and work.holds(each.rule.not_family) is not None
    ]


# --- Which components they choose ------------------------------------------------------------------------


def _apply(work: _Work, fired: _Fired) -> None:
    for choice in fired.rule.then:
        why = _why_chosen(work, choice)
        if why is not None:
            _choose(work, replace(fired, why=tuple(dict.fromkeys((*fired.why, *why)))), choice.options)


def _child_is_helped(work: _Work) -> bool:
    """Did the child's own need choose something for the child? What circumstances chose does not stand for it."""
    return any(
        work.menu[action.component].counts_for == "child" and work.rules.rules[action.rule].priority != "C"
        for action in work.chosen.values()
    )


def _why_chosen(work: _Work, choice: Choice) -> tuple[str, ...] | None:
    """The facts on top of the rule's own that let this choice count; None when it does not."""
    if choice.unless is not None and work.holds(choice.unless) is not None:
        return None
    wished = tuple(f"wished:{code}" for code in choice.options if code in work.facts.wishes)
    if choice.wished and not wished:
        return None
    why = work.holds(choice.when)
    return None if why is None else (*why, *(wished if choice.wished else ()))


def _choose(work: _Work, fired: _Fired, options: Iterable[str]) -> None:
    """Take the first option that can be had (R-Q1)."""
    for code in options:
        if code == REFERRAL_COMPONENT:
            work.asked.append((_urgency_of(fired), fired))
            return
        component = work.menu[code]
        if code in work.banned:
            work.skip(component, fired.rule, SkipReason.EXCLUDED, work.banned[code])
            continue
        if work.by_sandplay is not None and code in work.rules.treatment_by_talk:
            work.skip(component, fired.rule, SkipReason.REPLACED, "R-A5")
            sandplay = _Fired(work.rules.rules["R-A5"], (*fired.why, *work.by_sandplay))
            _take_first(work, sandplay, work.rules.instead_of_talk)
            return
        if component.kind in work.held:
            # It waits for an answer; the next in the list would be for want of a person, which is not so.
            work.skip(component, fired.rule, SkipReason.HARM_NOT_ANSWERED, "R-L3")
            return
        if _take(work, component, fired):
            return


def _urgency_of(fired: _Fired) -> Urgency:
    """A severe start is urgent, as in R-L1; every other referral among a rule's choices is routine."""
    return Urgency.URGENT if {"severe", "sign:severe_at_start"} & set(fired.why) else Urgency.ROUTINE


def _take_first(work: _Work, fired: _Fired, options: Iterable[str]) -> None:
    for code in options:
        component = work.menu[code]
        if code in work.banned:
            work.skip(component, fired.rule, SkipReason.EXCLUDED, work.banned[code])
        elif component.kind in work.held:
            work.skip(component, fired.rule, SkipReason.HARM_NOT_ANSWERED, "R-L3")
        elif _take(work, component, fired):
            return


def _take(work: _Work, component: Component, fired: _Fired) -> bool:
    """Put a component into the draft if tier, age and people allow. Safety and protection are never dropped."""
    always = component.kind in work.rules.never_dropped
    if not always and not component.fits_tier(work.facts.working_tier):
        work.skip(component, fired.rule, SkipReason.NOT_FOR_TIER)
        return False
    if not always and not component.fits_age(work.facts.age):
        work.skip(component, fired.rule, SkipReason.NOT_FOR_AGE)
        return False
    if component.needs_skill and component.code not in work.facts.available:
        gap = ServiceGap(component.code, fired.rule.id)
        if gap.component not in {known.component for known in work.gaps}:
            work.gaps.append(gap)
        if not always:
            work.skip(component, fired.rule, SkipReason.NO_SKILL, "R-Q1")
            return False
    _add(work, component, fired.rule, fired.why)
    return True


def _add(work: _Work, component: Component, rule: Rule, why: tuple[str, ...]) -> None:
    """A component asked for twice stands once, with the facts of both rules."""
    known = work.chosen.get(component.code)
    if known is not None:
        because = tuple(dict.fromkeys((*known.because, *why)))
        work.chosen[component.code] = replace(
            known, because=because, off_note=known.off_note or rule.off_note
        )
        return
    work.chosen[component.code] = PlannedAction(
        component=component.code,
        rule=rule.id,
        because=why,
        status=ActionStatus.PLANNED,
        who=component.role,
        dose=component.dose,
        review_days=component.review_days,
        # In a crisis nobody waits for the plan to be confirmed.
        starts_at_once=component.kind == "safety" and work.facts.working_tier is Tier.CRISIS,
        off_note=rule.off_note,
    )


# --- The referral ----------------------------------------------------------------------------------------


def _need(work: _Work) -> ReferralNeed | None:
    """R-L1 for the automatic draft, and whatever the rules ask for; the most urgent counts."""
    facts = work.facts
    by_sheet = None if facts.interview_done else referral_urgency(facts, work.rules.urgent_from)
    asked = [(urgency, each.rule.id, each.why) for urgency, each in work.asked]
    asked += [(each.rule.referral, each.rule.id, each.why) for each in work.fired if each.rule.referral]
    offers = [
        (each.rule.referral_offered, each.rule.id, each.why)
        for each in work.fired
        if each.rule.referral_offered
    ]
    if by_sheet is not None:
        asked.insert(0, (by_sheet[0], "R-L1", by_sheet[1]))
    else:
        # Nobody but the rule speaks: its offer is what the draft proposes.
        asked += offers
    if not asked:
        return None
    urgency = max((each for each, _, _ in asked), key=lambda each: each.rank)
    offered = max((each for each, _, _ in offers), key=lambda each: each.rank, default=None)
    return ReferralNeed(
        urgency=urgency,
        why=tuple(dict.fromkeys(reason for _, _, why in asked for reason in why)),
        rules=tuple(dict.fromkeys(rule for _, rule, _ in asked)),
        offered=offered if offered and offered.rank > urgency.rank else None,
    )


# --- What R-Q2 and R-Q3 leave, and what people are asked to do -------------------------------------------


def _capped(work: _Work) -> tuple[list[PlannedAction], tuple[PlannedAction, ...]]:
    """R-Q2. Safety fills the places first and is never parked; then the order of the rules."""
    kept: set[str] = set()
    filled = dict.fromkeys(work.rules.caps, 0)
    first = sorted(work.chosen.values(), key=lambda action: not _never_dropped(action, work))
    for action in first:
        bucket = work.menu[action.component].counts_for
        if (
            bucket in filled
            and filled[bucket] >= work.rules.caps[bucket]
            and not _never_dropped(action, work)
        ):
            continue
        kept.add(action.component)
        if bucket in filled:
            filled[bucket] += 1
    parked = tuple(
        replace(action, status=ActionStatus.PARKED)
        for action in work.chosen.values()
        if action.component not in kept
    )
    return [action for action in work.chosen.values() if action.component in kept], parked


def _never_dropped(action: PlannedAction, work: _Work) -> bool:
    return work.menu[action.component].kind in work.rules.never_dropped


def _with_consent(action: PlannedAction, work: _Work, urgency: Urgency | None) -> PlannedAction:
    """R-Q3. An emergency referral needs no consent."""
    consent = work.menu[action.component].consent
    if consent is None or consent in work.facts.consents:
        return action
    if consent == SHARE_FACILITY and urgency is Urgency.EMERGENCY:
        return action
    return replace(action, status=ActionStatus.PROPOSED)


def _tasks(
    work: _Work, actions: Iterable[PlannedAction], *, update_only: bool, guardian_blocked: bool
) -> tuple[TaskKind, ...]:
    tasks = [task for each in work.fired for task in each.rule.tasks]
    tasks += [
        task
        for each in work.fired
        for task, condition in each.rule.tasks_when
        if work.holds(condition) is not None
    ]
    # An assessment reviews plan and referral by itself; a sheet has to ask for it (R-L2).
    update = update_only and not work.facts.interview_done
    wanted = (
        (TaskKind.GUARDIAN_HARM_QUESTION, work.facts.harm_answer is None),
        (TaskKind.REFERRAL_UPDATE, update),
        (TaskKind.PLAN_REVIEW, update),
        (TaskKind.CONSENT_ASK, any(action.status is ActionStatus.PROPOSED for action in actions)),
        (TaskKind.SERVICE_GAP, bool(work.gaps)),
    )
    tasks += [task for task, needed in wanted if needed]
    return tuple(
        task for task in dict.fromkeys(tasks) if not (guardian_blocked and task is TaskKind.GUARDIAN_CONTACT)
    )


def _follow_up(work: _Work) -> FollowUpTemplate | None:
    named = next((each.rule.follow_up for each in work.fired if each.rule.follow_up), None)
    return named or _TIER_FOLLOW_UP.get(work.facts.working_tier)


def _used(
    work: _Work,
    need: ReferralNeed | None,
    *,
    update_only: bool,
    actions: Iterable[PlannedAction],
    parked: tuple[PlannedAction, ...],
) -> tuple[str, ...]:
    """The rules that had a say, in the order in which they are printed."""
    said = (
        {each.rule.id for each in work.fired} | {action.rule for action in actions} | {p.rule for p in parked}
    )
    said |= set(need.rules) if need else set()
    said |= {skip.by for skip in work.skipped if skip.by}
    said |= {"R-L2"} if update_only else set()
    said |= {"R-Q1"} if work.gaps else set()
    said |= {"R-Q2"} if parked else set()
    said |= {"R-Q3"} if any(action.status is ActionStatus.PROPOSED for action in actions) else set()
    return tuple(rule_id for rule_id in work.rules.rules if rule_id in said)
