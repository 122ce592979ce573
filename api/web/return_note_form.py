"""The return note (F1 part 3) as a form: for the clinician, for a clinic without an account, and typed in from paper."""

from __future__ import annotations

import json

from api.web.forms import Form
from referral.actions.return_notes import ReturnNoteIn
from referral.terms import Attendance, Finding, Outcome, RiskNow

LINE = 400  # characters of one text of the return note
SHORT = 60


def read_note_form(form: Form, *, whole: bool = False) -> ReturnNoteIn | None:
    """The form, or ``None`` where something is missing or wrong; what it is stands in ``form``.

    ``whole``: everything that the paper form requires, for a note that no account stands behind.
    """
    visit_on = form.day("visit_on", needed=True)
    outcome = form.choice("outcome", Outcome, needed=True)
    finding = form.choice("finding", Finding, needed=True)
    risk = form.choice("risk_now", RiskNow, needed=True)
    attendance = form.choice("attendance", Attendance, needed=True)
    form.text("school_advice", limit=LINE, needed=True)
    advice = _parts(form, "school_advice", "warning_signs", "family_advice", "contact")
    if whole:
        advice |= _rest_of_the_paper(form)
    clinical = _parts(form, "summary", "medicine_at_school")
    next_visit_on = form.day("next_visit_on")
    agreed = form.raw("guardian_agreed") == "yes"
    if form.errors or not (visit_on and outcome and finding and risk and attendance):
        return None
    return ReturnNoteIn(
        visit_on=visit_on,
        outcome=outcome,
        finding=finding,
        assessor_saw_probability=form.has("saw_probability"),
        risk_now=risk,
        attendance=attendance,
        advice=json.dumps(advice, ensure_ascii=False, sort_keys=True),
        clinical=json.dumps(clinical, ensure_ascii=False, sort_keys=True) if clinical else None,
        next_visit_on=next_visit_on,
        guardian_agreed=agreed,
    )


def _rest_of_the_paper(form: Form) -> dict[str, str]:
    form.require("warning_signs", form.raw("warning_signs").strip())
    form.require("contact", form.raw("contact").strip())
    if form.raw("guardian_agreed") not in ("yes", "no"):
        form.require("guardian_agreed", None)
    found = {"clinician": form.text("clinician", limit=SHORT, needed=True)}
    careful = form.day("careful_until")
    return found | ({"careful_until": careful.isoformat()} if careful else {})


def _parts(form: Form, *names: str) -> dict[str, str]:
    """The filled fields of one part of the form."""
    return {name: text for name in names if (text := form.text(name, limit=LINE))}
