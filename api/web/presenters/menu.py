"""The pages that a post has beside *today*, in the head of every page."""

from __future__ import annotations

from dataclasses import dataclass

from screening.access import May, may
from screening.core.actor import Actor
from screening.core.i18n import translate


@dataclass(frozen=True, slots=True)
class Page:
    """One word in the head."""

    href: str
    label: str


def pages(actor: Actor | None, locale: str) -> list[Page]:
    """What this person's roles open; a page that is not theirs is not named."""
    if actor is None:
        return []
    known = (
        (May.HANDLE_CRISIS, "/crises", translate(locale, "Crises")),
        (May.READ_SCORES, "/capacity", translate(locale, "Talks this week")),
        (May.HOLD_CHECK, "/checks", translate(locale, "Checks by lot")),
        (May.SET_DISTRICT, "/district", translate(locale, "District settings")),
        (May.SET_MODEL, "/models", translate(locale, "Model")),
        (May.READ_OVERDUE, "/overdue", translate(locale, "Overdue")),
        (May.READ_SILENT, "/silent", translate(locale, "Unanswered referrals")),
        (May.SET_FACILITY, "/facility", translate(locale, "Open places")),
        (May.MANAGE_ACCOUNTS, "/accounts", translate(locale, "Accounts")),
        (May.MANAGE_ACCOUNTS, "/duty", translate(locale, "Duty roster")),
        (May.MANAGE_ACCOUNTS, "/organisations", translate(locale, "Organisations")),
        (May.MANAGE_ACCOUNTS, "/settings", translate(locale, "Settings")),
        (May.SET_FACILITY_CODE, "/facility-codes", translate(locale, "Facility codes")),
        (May.KEEP_WORDING, "/wordings", translate(locale, "Wordings")),
    )
    return [Page(href, label) for what, href, label in known if may(actor, what)]
