"""Draw a frozen note. What stands on it was decided in ``referral.disclosure``; here is only how it looks.

The note is Chinese whoever prints it: it is a form between two Chinese offices. Its words are in the template.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from referral.disclosure import NoteContent
from referral.terms import Attendance, Finding, HelpWanted, Outcome, ReferralKind, RiskNow, Term, Urgency
from screening.core.paper import Printer, Rendered

TEMPLATE = Path(__file__).parent / "templates" / "referral_note.html"

# What a clinician can have concluded after a visit; the other codes are recorded by the school.
_FINDINGS = (Finding.NEEDS_CARE, Finding.SUBTHRESHOLD, Finding.NO_NEED, Finding.INCONCLUSIVE)


def to_pdf(printer: Printer, content: NoteContent) -> Rendered:
    """The note as PDF: same content, same bytes. Raises what ``Printer.render`` raises.

    A note that does not fit on its sheet is set smaller. Texts within ``disclosure.LIMITS`` then fit; longer ones,
    which ``disclosure.check`` refuses, run over to a second page rather than lose a line.
    """
    rendered = printer.render(TEMPLATE, note_values(content))
    if rendered.pages > 1:
        rendered = printer.render(TEMPLATE, note_values(content, density="dense"))
    return rendered


def file_name(content: NoteContent) -> str:
    """The form number and nothing else: a file name travels further than its file."""
    return f"{content.form_no}.pdf"


def note_values(content: NoteContent, *, density: str = "") -> dict[str, Any]:
    """Everything the template needs: the frozen texts and the boxes to tick."""
    attached = content.out.safety_plan_attached
    return content.as_dict() | {
        "density": density,
        "is_triage_request": content.kind is ReferralKind.TRIAGE_REQUEST,
        "urgencies": _choices(Urgency, [content.urgency]),
        "help_wanted": _choices(HelpWanted, content.out.help_wanted),
        "safety_plan": [{"zh": "是", "on": attached is True}, {"zh": "否", "on": attached is False}],
        "outcomes": _choices(Outcome),
        "findings": _choices(_FINDINGS),
        "risks": _choices(RiskNow),
        "attendances": _choices(Attendance),
    }


def _choices(terms: Iterable[Term], ticked: Container[str] = ()) -> list[dict[str, Any]]:
    return [{"zh": term.zh, "on": term.value in ticked} for term in terms]
