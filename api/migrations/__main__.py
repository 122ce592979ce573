"""Draft the next migration from what the models have and the newest migration does not.

``python -m api.migrations "what it does"`` writes a file into ``versions``. Read it, and add by hand what cannot be
seen in models (triggers, filling new columns) before it is committed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Uuid
from sqlalchemy.types import TypeDecorator

from api import migrations


def draft(message: str) -> Path:
    """Write the next migration, formatted. Returns where it is."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/scratch.sqlite"
        config = migrations.config()
        scripts = ScriptDirectory.from_config(config)
        if scripts.get_current_head() is not None:
            migrations.upgrade(url)
        number = f"{len(list(scripts.walk_revisions())) + 1:04d}"
        with migrations.connection(url) as opened:
            config = migrations.config(opened)
            config.attributes["render_item"] = render_item
            made = command.revision(config, message, autogenerate=True, rev_id=number)
    if made is None or isinstance(made, list):
        raise RuntimeError("one migration was expected")
    path = Path(made.path)
    for step in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *step, str(path)], check=True)  # noqa: S603  # our own words
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


if __name__ == "__main__":
    print(draft(" ".join(sys.argv[1:]) or sys.exit("say what the migration does")))  # noqa: T201  # a command
