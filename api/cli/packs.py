"""``xinqiao instruments pack CODE``: the workbook to fill in with the wording that a district may use."""

from __future__ import annotations

from pathlib import Path

from api.cli.words import _, say
from instruments import Instrument, UnknownInstrument, catalogue
from instruments.text import LANGUAGES, may_show
from screening.core.errors import Conflict, InvalidInput, Unavailable
from screening.spreadsheets.packs import empty_pack


def write(code: str, *, language: str, layout: str | None, out: Path | None) -> None:
    """Write one workbook; a file that is there is never overwritten."""
    instrument = _instrument(code)
    if language not in LANGUAGES:
        raise InvalidInput("The language is one of: {wanted}.", wanted=", ".join(LANGUAGES))
    layouts = [each.id for each in instrument.layouts]
    if layout is not None and layout not in layouts:
        raise InvalidInput("The layout is not known. Known: {wanted}.", wanted=", ".join(layouts))
    target = out or Path(f"{code}-{language}.xlsx")
    try:
        with target.open("xb") as file:
            file.write(empty_pack(instrument, language, layout or ""))
    except FileExistsError:
        raise Conflict("{file} is there already; nothing was written.", file=str(target)) from None
    except OSError as error:
        raise Unavailable(
            "{file} cannot be written: {reason}.", file=str(target), reason=error.strerror
        ) from None
    say(_("Written: {file}. Fill it in, and bring it in on the page of wordings.", file=str(target)))
    if not may_show(instrument):
        say(
            _(
                "The licence of {sheet} does not let its wording stand on a screen: it can be compared there and is not kept.",
                sheet=instrument.abbr,
            )
        )


def _instrument(code: str) -> Instrument:
    try:
        return catalogue().get(code)
    except UnknownInstrument:
        raise InvalidInput("The questionnaire {code} is not in the library.", code=code[:20]) from None
