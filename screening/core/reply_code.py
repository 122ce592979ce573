"""What a note carries so that whoever holds it can answer without an account: a long token and a short code.

The token has 128 random bits and stands in the QR only; the code has ten characters for a keyboard and is good
together with the form number (decision 45). Both are written in the alphabet of form numbers, which leaves out
what handwriting confuses. Neither is stored as it is: only blind indexes of both are kept for looking them up.
"""

from __future__ import annotations

import re
from random import Random

from screening.core.form_number import ALPHABET, normalise

TOKEN_BITS, TOKEN_LENGTH = 128, 26
CODE_LENGTH = 10
FACILITY_CODE_LENGTH = 12  # 60 bits, and argon2 on top

_TOKEN = re.compile(f"[{ALPHABET}]{{{TOKEN_LENGTH}}}")


def new_token(random: Random) -> str:
    """128 bits as 26 characters; unguessable when ``random`` is a ``random.SystemRandom``."""
    bits = random.getrandbits(TOKEN_BITS)
    return "".join(ALPHABET[bits >> 5 * place & 31] for place in reversed(range(TOKEN_LENGTH)))


def new_code(random: Random, length: int = CODE_LENGTH) -> str:
    """``length`` characters, five bits each."""
    return "".join(random.choices(ALPHABET, k=length))


def is_token(text: str) -> bool:
    """Whether it has the shape of a token; anything else need not be looked for."""
    return _TOKEN.fullmatch(text) is not None


def in_groups(code: str, size: int) -> str:
    """As it is printed and read out: ``ABCDE-FGHJK``."""
    return "-".join(code[at : at + size] for at in range(0, len(code), size))


def typed(text: str) -> str:
    """What somebody typed, as it was printed: capitals, no blanks or dashes, I and L as 1, O as 0."""
    return normalise(text)[:64]
