"""A made-up county for looking at the service: ``xinqiao demo --dir DIR`` and ``xinqiao serve --demo``.

* ``people``, ``answers``: pupils and how they answer, from a seed;
* ``workbooks``: what each school sends in; ``county``: places, posts, duty, clinics, campaigns;
* ``scene``, ``story``, ``play``: the days up to now, through the same doors as real ones;
* ``counts``, ``main``: the table of ``demo --dir``; ``home``: the home that ``serve --demo`` opens.
"""

from __future__ import annotations

from api.cli.demo.home import SignIn, prepare
from api.cli.demo.main import run

__all__ = ["SignIn", "prepare", "run"]
