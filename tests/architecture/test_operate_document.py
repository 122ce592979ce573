"""``docs/operate.md`` names every setting, no other, with the defaults that the code has; and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from api.cli import app
from screening.core.settings import Settings
from tests.architecture.sources import ROOT, modules

GUIDE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
SETTING = re.compile(r"XINQIAO_[A-Z]+(?:_[A-Z]+)*")
ROW = re.compile(r"^\| `(XINQIAO_\w+)` \| (.+?) \| .+ \|$", re.MULTILINE)


def used() -> set[str]:
    """Every setting that the code reads or speaks of."""
    return {name for source in modules() for name in SETTING.findall((ROOT / source.path).read_text("utf-8"))}


def test_every_setting_is_in_the_table_and_no_other():
    listed = [name for name, _ in ROW.findall(GUIDE)]
    assert len(listed) == len(set(listed))
    assert set(listed) == used()


def test_no_setting_is_spoken_of_that_does_not_exist():
    assert set(SETTING.findall(GUIDE)) <= used()


def test_defaults_are_those_of_the_code():
    said = {name: default.strip("`") for name, default in ROW.findall(GUIDE)}
    settings = Settings.read({})
    assert Path(said["XINQIAO_HOME"]).absolute() == settings.home
    assert said["XINQIAO_BASE_URL"] == settings.base_url
    assert tuple(said["XINQIAO_ALLOWED_HOSTS"].split(",")) == settings.allowed_hosts
    assert said["XINQIAO_BACKUP_KEEP"] == str(settings.backup_keep)
    assert (said["XINQIAO_WORKER"] == "inside") is settings.worker_inside
    for name, value in (
        ("XINQIAO_BACKUP_TO", settings.backup_to),
        ("XINQIAO_WEBHOOK_URL", settings.webhook),
        ("XINQIAO_TRUSTED_PROXIES", settings.trusted_proxies or None),
        ("XINQIAO_PRODUCTION", settings.production or None),
    ):
        assert said[name] == "–"
        assert value is None


def commands() -> set[str]:
    """``serve``, ``db init`` …: what can be typed."""
    root = typer.main.get_command(app)
    found = set()
    for name, command in root.commands.items():
        found |= {f"{name} {below}" for below in getattr(command, "commands", {})} or {name}
    return found


@pytest.mark.parametrize("page", ["docs/operate.md", "README.md", "README.zh-CN.md"])
def test_commands_that_are_spoken_of_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    known = commands()
    groups = {command.split()[0] for command in known}
    for first, second in re.findall(r"(?<![/:@\w])xinqiao ([a-z]+)(?: ([a-z]+))?", text):
        assert first in groups, f"xinqiao {first}"
        assert first in known or not second or f"{first} {second}" in known, f"xinqiao {first} {second}"


@pytest.mark.parametrize("page", ["docs/operate.md", "README.md", "README.zh-CN.md"])
def test_files_that_are_spoken_of_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    written_by_make = {"docs/benchmarks.md"}
    for name in re.findall(r"`?((?:docs|referral|instruments)/[\w/.-]+\.(?:md|yaml))", text):
        assert name in written_by_make or (ROOT / name).exists(), name
