"""What an operator has decided by the environment of the service. Secrets are named and never shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from api.web.presenters import dates
from screening.core.i18n import translate
from screening.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its name in the environment, what holds now, and what it is for. ``warn``: look at this."""

    name: str
    value: str
    what: str
    warn: bool = False


def rows(settings: Settings, locale: str) -> list[Row]:
    """Every setting of ``docs/operate.md`` that a running service can tell of itself."""
    return list(_rows(settings, locale))


def _rows(settings: Settings, locale: str) -> Iterator[Row]:
    yes, no = translate(locale, "yes"), translate(locale, "no")
    unset = translate(locale, "not set")
    url = make_url(settings.database_url)
    backups = settings.backup_to
    yield Row("XINQIAO_HOME", str(settings.home), translate(locale, "The directory with the keys."))
    yield Row(
        "XINQIAO_DATABASE_URL",
        url.render_as_string(hide_password=True),
        translate(locale, "Where everything is kept."),
    )
    yield Row(
        "XINQIAO_BASE_URL",
        settings.base_url,
        translate(locale, "The address that people use; links carry it."),
    )
    yield Row(
        "XINQIAO_PRODUCTION",
        yes if settings.production else no,
        translate(locale, "In earnest: https, closed API description, no demonstration."),
        warn=not settings.production,
    )
    yield Row(
        "XINQIAO_ALLOWED_HOSTS",
        ", ".join(settings.allowed_hosts),
        translate(locale, "Host names that are answered."),
    )
    yield Row(
        "XINQIAO_TRUSTED_PROXIES",
        ", ".join(settings.trusted_proxies) or unset,
        translate(locale, "Proxies whose word about an address is believed."),
    )
    yield Row(
        "XINQIAO_WORKER",
        translate(locale, "inside") if settings.worker_inside else translate(locale, "alone"),
        translate(locale, "Whether papers, notices and limits are worked on in this process."),
    )
    yield Row(
        "XINQIAO_WEBHOOK_URL",
        _host(settings.webhook.url) if settings.webhook else unset,
        translate(locale, "The gateway for text messages and calls. Without it only open pages ring."),
        warn=settings.webhook is None,
    )
    yield Row(
        "XINQIAO_BACKUP_TO",
        str(backups) if backups else unset,
        translate(locale, "Where a backup goes every 15 minutes."),
        warn=backups is None and url.get_backend_name() == "sqlite",
    )


def _host(address: str) -> str:
    """Where messages go, without what may be secret in the address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}"


def newest_backup(directory: Path | None, locale: str) -> str:
    """When the newest file in the directory of backups was written; empty where there is none."""
    if directory is None or not directory.is_dir():
        return ""
    written = [path.stat().st_mtime for path in directory.iterdir() if path.is_file()]
    return dates.moment(datetime.fromtimestamp(max(written)).astimezone(), locale) if written else ""
