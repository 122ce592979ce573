"""Form numbers: what a printed form is called on paper, on the telephone and as a file name.

Eight random characters and a check character. The alphabet leaves out I, L, O and U (Crockford's base 32): I, L and
O are taken for 1 and 0 in handwriting, U for V. The check character is ISO 7064 Mod 37,36, which notices every single
wrong character and nearly every swap of two neighbours. Its own alphabet has 36 characters; a number whose check
character would be one of the four is drawn again. 32⁸ numbers, about 10¹²: the column that stores one is unique, and
a clash is a redraw.
"""

from __future__ import annotations

import re
from random import Random

from stdnum.iso7064 import mod_37_36

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 9  # with the check character

_SHAPE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", " ": None, "-": None, "－": None, "\u3000": None})


def new_form_number(random: Random) -> str:
    """A number nobody can guess when ``random`` is a ``random.SystemRandom``."""
    while True:
        number = "".join(random.choices(ALPHABET, k=LENGTH - 1))
        check = str(mod_37_36.calc_check_digit(number))
        if check in ALPHABET:
            return number + check


def normalise(typed: str) -> str:
    """What was typed or read out, as we store it: capitals, no blanks or dashes, I and L as 1, O as 0."""
    return typed.upper().translate(_READ_AS)


def is_valid(number: str) -> bool:
    """Whether ``number``, normalised, has the shape and the check character of a form number."""
    number = normalise(number)
    return bool(_SHAPE.fullmatch(number)) and bool(mod_37_36.is_valid(number))
