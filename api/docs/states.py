"""``docs/reference/states.md`` from the tables of ``referral.states``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from referral import states
from referral.terms import CallGuard, ClosingReason, StandDownGuard, Term, Turn

PATH = "docs/reference/states.md"

_HEAD = """# Statuses and whose turn it is

Generated from `referral/states.py` by `api/docs/states.py`; change the tables there. Each change of status is
a row with who, when and why; the current status is the last row.
"""


@dataclass(frozen=True, slots=True)
class _Row:
    status: Term
    turn: Turn
    leads_to: tuple[Term, ...]


Status = TypeVar("Status", bound=Term)


def _rows(transitions: Mapping[Status, frozenset[Status]], turns: Mapping[Status, Turn]) -> tuple[_Row, ...]:
    return tuple(_Row(status, turns[status], _ordered(to)) for status, to in transitions.items())


def _ordered(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(sorted(terms, key=lambda term: term.rank))


def render_all() -> dict[str, str]:
    """Path inside the repository → text."""
    parts = [
        _HEAD,
        _section(
            "Case 个案",
            "`closed` can be reached from every open state; which reason is good from where stands below. "
            "A protected case is the county's turn wherever this table says school.",
            _rows(states.CASE_TRANSITIONS, states.CASE_TURN),
        ),
        _section(
            "Plan version 干预方案",
            "A version is immutable: any change makes the next version and supersedes this one.",
            _rows(states.PLAN_TRANSITIONS, states.PLAN_TURN),
        ),
        _section(
            "Referral 转介",
            "Steps marked † pass the guardian by and need the emergency basis.",
            _rows(states.REFERRAL_TRANSITIONS, states.REFERRAL_TURN),
        ),
        _section("Follow-up 随访", "", _rows(states.FOLLOWUP_TRANSITIONS, states.FOLLOWUP_TURN)),
        _section(
            "Crisis episode 危机处置",
            "Steps are recorded in any order, so there is no picture. "
            "Standing down needs every guard of the last list.",
            _rows(states.CRISIS_TRANSITIONS, states.CRISIS_TURN),
            diagram=False,
        ),
        _section(
            "Hotline call 热线来电",
            "The status follows from what is on record; `closed` needs every guard of the last list.",
            _rows(states.CALL_TRANSITIONS, states.CALL_TURN),
        ),
        _closing(),
        _guards("Before a crisis is stood down 解除条件", StandDownGuard),
        _guards("Before a hotline call is closed 结束来电的条件", CallGuard),
    ]
    return {PATH: "\n".join(parts)}


def _section(title: str, note: str, rows: tuple[_Row, ...], *, diagram: bool = True) -> str:
    lines = [f"## {title}", "", *([note, ""] if note else [])]
    lines += ["| status | 中文 | whose turn | leads to |", "|---|---|---|---|"]
    for row in rows:
        leads = ", ".join(_target(row.status, to) for to in row.leads_to) or "–"
        lines.append(f"| `{row.status}` | {row.status.zh} | {row.turn} {row.turn.zh} | {leads} |")
    return "\n".join([*lines, "", *(_diagram(rows) if diagram else [])])


def _diagram(rows: tuple[_Row, ...]) -> list[str]:
    edges = [f"  {row.status} --> {to}" for row in rows for to in row.leads_to]
    ends = [f"  {row.status} --> [*]" for row in rows if not row.leads_to]
    return ["```mermaid", "stateDiagram-v2", f"  [*] --> {rows[0].status}", *edges, *ends, "```", ""]


def _target(status: Term, to: Term) -> str:
    return f"`{to}` †" if (status, to) in states.EMERGENCY_ONLY else f"`{to}`"


def _closing() -> str:
    lines = ["## Closing reasons 销号原因", "", "| reason | 中文 | from |", "|---|---|---|"]
    for reason in ClosingReason:
        allowed = ", ".join(f"`{status}`" for status in _ordered(states.CLOSING_FROM[reason]))
        lines.append(f"| `{reason}` | {reason.zh} | {allowed} |")
    return "\n".join([*lines, ""])


def _guards(title: str, guards: type[Term]) -> str:
    lines = [f"## {title}", "", "| guard | 中文 |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{guard}` | {guard.zh} |" for guard in guards), ""])
