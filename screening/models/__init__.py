"""Tables of the screening side. Importing this package makes all of them known."""

from screening.models import (
    account,
    administration,
    campaign,
    child,
    consent,
    import_batch,
    model,
    organisation,
    result,
    wording,
)

__all__ = [
    "account",
    "administration",
    "campaign",
    "child",
    "consent",
    "import_batch",
    "model",
    "organisation",
    "result",
    "wording",
]
