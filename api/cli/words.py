"""What the commands say: in the language of the terminal, Chinese unless it asks for English."""

from __future__ import annotations

import os
import sys

from screening.core.i18n import choose_locale, translate


def locale() -> str:
    """From ``XINQIAO_LANG``, else ``LANG``."""
    return choose_locale(os.environ.get("XINQIAO_LANG") or os.environ.get("LANG"))


def _(message: str, **params: object) -> str:
    """``message`` in the language of the terminal."""
    return translate(locale(), message, **params)


def sentence(message: str, **params: object) -> str:
    """The same for a message that another module has chosen."""
    return _(message, **params)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(text + "\n")
