"""Tables of the care side. Importing this package makes all of them known."""

from referral.models import (
    case,
    crisis,
    followup,
    form_draft,
    hotline,
    labels,
    notice,
    plan,
    referral,
    task,
    worry,
)

__all__ = [
    "case",
    "crisis",
    "followup",
    "form_draft",
    "hotline",
    "labels",
    "notice",
    "plan",
    "referral",
    "task",
    "worry",
]
