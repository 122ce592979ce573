"""axe-core on the open page. The script comes with a Python package; nothing is loaded from anywhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

# WCAG 2.2 at level AA, and what axe's authors call good practice.
OPTIONS = {"resultTypes": ["violations"]}


@cache
def script() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """One line for each place that breaks a rule: the rule, where, and what to do about it."""
    # Evaluated and not added as a tag: the page's own policy allows no foreign script, and stays in force.
    page.evaluate(script())
    found = page.evaluate("options => axe.run(document, options)", OPTIONS)
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} – {node['failureSummary'].splitlines()[-1].strip()}"
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]
