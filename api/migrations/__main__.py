"""Draft the next migration from what the models have and the newest migration does not.

``python -m api.migrations "what it does"`` writes a file into ``versions``. Read it, and add by hand what cannot be
seen in models (triggers, filling new columns) before it is committed.

``python -m api.migrations --first`` writes ``0001_tables.py`` anew. Only until the first release: a migration that
has shipped is never edited, and once there are others after the first two this is refused.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Uuid
from sqlalchemy.types import TypeDecorator

from api import migrations

VERSIONS = migrations.PLACE / "versions"
FIRST = VERSIONS / "0001_tables.py"


def draft(message: str) -> Path:
    """Write the next migration, formatted. Returns where it is."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/scratch.sqlite"
        migrations.upgrade(url)
        number = len(list(ScriptDirectory.from_config(migrations.config()).walk_revisions())) + 1
        with migrations.connection(url) as opened:
            return _write(migrations.config(opened), message, f"{number:04d}")


def first() -> Path:
    """Write the first migration again, from the models alone."""
    if len(list(VERSIONS.glob("*.py"))) > 2:
        sys.exit("others follow the first migration; draft the next one instead")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "migrations"
        shutil.copytree(migrations.PLACE, place, ignore=shutil.ignore_patterns("versions", "__pycache__"))
        (place / "versions").mkdir()
        with migrations.connection(f"sqlite:///{folder}/scratch.sqlite") as opened:
            config = migrations.config(opened)
            config.set_main_option("script_location", str(place))
            made = _write(config, "Tables of the first version", "0001")
        shutil.copyfile(made, FIRST.with_suffix(".new"))
    return FIRST.with_suffix(".new").replace(FIRST)


def _write(config: Config, message: str, number: str) -> Path:
    config.attributes["render_item"] = render_item
    made = command.revision(config, message, autogenerate=True, rev_id=number)
    if made is None or isinstance(made, list):
        raise RuntimeError("one migration was expected")
    path = Path(made.path)
    settings = ["--config", str(migrations.PLACE.parents[1] / "pyproject.toml")]
    for step in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        # Our own interpreter, our own words.
        subprocess.run([sys.executable, "-m", "ruff", *step, *settings, str(path)], check=True)  # noqa: S603
    return path


def render_item(kind: str, item: object, context: AutogenContext) -> str | bool:
    """Columns in plain words: a migration must go on meaning the same when our own types change."""
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    if isinstance(item, JSON):
        return "sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), 'postgresql')"
    return "sa.Uuid()" if isinstance(item, Uuid) else False


def main(arguments: list[str]) -> int:
    if not arguments:
        sys.exit("say what the migration does")
    path = first() if arguments == ["--first"] else draft(" ".join(arguments))
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
