"""Draw a frozen note. What stands on it was decided in ``referral.disclosure``; here is only how it looks.

The note is Chinese whoever prints it: it is a form between two Chinese offices. Its words are in the template.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import segno

from referral.disclosure import NoteContent
from referral.terms import Attendance, Finding, HelpWanted, Outcome, ReferralKind, RiskNow, Term, Urgency
from screening.core.paper import Printer, Rendered
from screening.core.reply_code import in_groups

TEMPLATE = Path(__file__).parent / "templates" / "referral_note.html"

# What a clinician can have concluded after a visit; the other codes are recorded by the school.
_FINDINGS = (Finding.NEEDS_CARE, Finding.SUBTHRESHOLD, Finding.NO_NEED, Finding.INCONCLUSIVE)


def to_pdf(printer: Printer, content: NoteContent, *, base_url: str = "") -> Rendered:
    """The note as PDF: same content and address, same bytes. Raises what ``Printer.render`` raises.

    ``base_url`` is the configured address of the service; a note that has been sent carries the way to answer there.

    A note that does not fit on its sheet is set smaller. Texts within ``disclosure.LIMITS`` then fit; longer ones,
    which ``disclosure.check`` refuses, run over to a second page rather than lose a line.
    """
    rendered = printer.render(TEMPLATE, note_values(content, base_url=base_url))
    if rendered.pages > 1:
        rendered = printer.render(TEMPLATE, note_values(content, base_url=base_url, density="dense"))
    return rendered


def file_name(content: NoteContent) -> str:
    """The form number and nothing else: a file name travels further than its file."""
    return f"{content.form_no}.pdf"


@dataclass(frozen=True, slots=True)
class Square:
    """A QR as one path: ``size`` modules with the quiet zone, ``path`` the strokes of the dark ones, row by row."""

    size: int
    path: str


QUIET = 4  # light modules around, as ISO/IEC 18004 asks


def square(text: str) -> Square:
    """The QR of ``text``: drawn as lines, so that a copier keeps its edges and the file stays small."""
    code = segno.make(text, error="m", micro=False, boost_error=False)
    strokes = []
    for number, row in enumerate(code.matrix):
        at = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                strokes.append(f"M{at + QUIET} {number + QUIET}.5 h{length}")
            at += length
    return Square(len(code.matrix) + 2 * QUIET, " ".join(strokes))


def answer_address(base_url: str, token: str) -> str:
    """What stands in the QR: the reply page of this note, and nothing else."""
    return f"{base_url}/r/{token}"


def _way_back(content: NoteContent, base_url: str) -> dict[str, Any] | None:
    """QR, typed code and address; nothing before the note is sent, or where no address is configured."""
    if not (content.reply_token and base_url):
        return None
    made = square(answer_address(base_url, content.reply_token))
    return {
        "size": made.size,
        "path": made.path,
        "address": f"{base_url}/r",
        "code": in_groups(content.reply_code, 5),
    }


def note_values(content: NoteContent, *, density: str = "", base_url: str = "") -> dict[str, Any]:
    """Everything the template needs: the frozen texts and the boxes to tick."""
    attached = content.out.safety_plan_attached
    return content.as_dict() | {
        "density": density,
        "way_back": _way_back(content, base_url),
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
