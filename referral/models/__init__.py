"""Tables of the care side. Importing this package makes all of them known."""

from referral.models import case, crisis, followup, hotline, notice, plan, referral, task

__all__ = ["case", "crisis", "followup", "hotline", "notice", "plan", "referral", "task"]
