"""Papers that pages hand out at once: blank forms, which hold nobody's data and are the same for everybody.

A referral note is printed by the worker and stored. A blank form is printed where it is asked for: the printing
process starts with the first one, and what was printed is kept for the next person who wants the same.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from screening.core.paper import Printer, find_fonts
from screening.core.settings import Settings

KEPT = 64  # forms; each is some ten kilobytes


class Papers:
    """One printing process of the web side, and the last forms that came out of it. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._printer: Printer | None = None
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = Lock()

    def blank_form(self, template: Path, values: Mapping[str, object]) -> bytes:
        """The PDF of ``template`` with ``values``. Raises what ``Printer.render`` raises."""
        key = (str(template), json.dumps(values, sort_keys=True))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            if self._printer is None:
                font = self._settings.font
                self._printer = Printer(find_fonts(font) if font else None)
            printer = self._printer
        made = printer.render(template, values).pdf
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made

    def close(self) -> None:
        """End the printing process; the next form starts it again."""
        with self._lock:
            printer, self._printer = self._printer, None
        if printer is not None:
            printer.close()
