"""Draw both documents in both languages, as HTML and as PDF, all or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from api.cli.model_report.sheets import values_of
from api.cli.model_report.subject import Subject
from risk_model.evidence import Evidence
from screening.core.paper import Printer

DOCUMENTS = ("model-card", "evaluation")
LOCALES = ("zh", "en")


def documents(subject: Subject, evidence: Evidence, *, made_on: str) -> dict[str, str]:
    """The name and the body (without style sheet) of each document."""
    environment = Environment(
        loader=PackageLoader("api.cli.model_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = {}
    for locale in LOCALES:
        values = values_of(subject, evidence, locale, made_on=made_on)
        for name in DOCUMENTS:
            found[f"{name}.{locale}"] = environment.get_template(f"{name}.html").render(values)
    return found


def write(
    subject: Subject,
    evidence: Evidence,
    out: Path,
    *,
    made_on: str,
    tell: Callable[[str], Any],
    pdf: bool = True,
) -> list[Path]:
    """Write the files and give their paths. Raises PaperError where nothing can be printed; then nothing is written."""
    style = (Path(__file__).parent / "templates" / "report.css").read_text("utf-8")
    contents: dict[str, bytes] = {}
    bodies = documents(subject, evidence, made_on=made_on)
    for name, body in bodies.items():
        page = body.replace("<!--style-->", f"<style>\n{style}</style>", 1)
        contents[f"{name}.html"] = page.encode()
    if pdf:
        with tempfile.TemporaryDirectory() as folder, Printer(timeout=120.0) as printer:
            Path(folder, "report.css").write_text(style, "utf-8")
            for name, body in bodies.items():
                tell(name)
                template = Path(folder, f"{name}.html")
                # It is finished text: a brace in the name of a column is no template any more.
                template.write_text(body.replace("{", "&#123;"), "utf-8")
                contents[f"{name}.pdf"] = printer.render(template, {}).pdf
    out.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (out / name).write_bytes(content)
    return [out / name for name in contents]
