"""``xinqiao db``: make, upgrade and check the database."""

from __future__ import annotations

from api import migrations
from api.cli import home
from api.cli.words import _, complain, say
from screening.core.settings import Settings


def init(settings: Settings, owner_url: str | None) -> None:
    """Directory, keys and tables."""
    home.init_home(settings, owner_url=owner_url)
    say(_("Made: {home}. Keep {keys} in a safe place as well: without it nothing can be read.",
          home=settings.home, keys=settings.keys_file.name))  # fmt: skip


def upgrade(settings: Settings, owner_url: str | None) -> None:
    before, after = home.upgrade_home(settings, owner_url=owner_url)
    if before == after:
        say(_("The database is up to date ({step}).", step=after))
    else:
        say(_("The database was brought from {before} to {after}.", before=before, after=after))


def check(settings: Settings) -> bool:
    """Whether tables and file are as they should be; says what is not. Runs beside a running service."""
    home.open_home(settings, hold=False).close()
    problems = [*migrations.check(settings.database_url), *damage(settings.database_url)]
    for problem in problems:
        complain(problem)
    if not problems:
        say(_("The tables are those of this version, and the file is sound."))
    return not problems


def damage(url: str) -> list[str]:
    """SQLite: what the file's own checks find. PostgreSQL checks its pages by itself."""
    with migrations.connection(url, reading=True) as connection:
        if connection.dialect.name != "sqlite":
            return []
        raw = connection.connection.cursor()
        found = [str(line[0]) for line in raw.execute("PRAGMA integrity_check(20)") if line[0] != "ok"]
        found += [
            f"{table}: row without its {parent}"
            for table, _row, parent, _key in raw.execute("PRAGMA foreign_key_check").fetchmany(20)
        ]
        return found
