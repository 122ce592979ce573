"""One frozen object, read once from the environment and passed in. No global look-ups below ``api``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path


class SettingsRefused(Exception):
    """A setting is missing or makes no sense. Says which and what to do."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """The district's gateway for messages (SMS, voice, WeCom, DingTalk): address and signing secret."""

    url: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator decides. Directories are created by ``db init`` with mode 0700."""

    home: Path
    database_url: str
    base_url: str = "http://127.0.0.1:8000"
    issuer: str = "xinqiao"
    production: bool = False
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    trusted_proxies: tuple[str, ...] = ()
    access_ttl: timedelta = timedelta(minutes=10)
    idle_limit: timedelta = timedelta(minutes=30)
    absolute_limit: timedelta = timedelta(hours=12)
    body_limit: int = 1024 * 1024
    import_limit: int = 12 * 1024 * 1024
    font: Path | None = None
    webhook: Webhook | None = None
    worker_inside: bool = True
    writer_piece: int = 50
    backup_to: Path | None = None
    backup_keep: int = 96
    instruments: Path | None = None
    """The folder of the district's own questionnaires."""

    @property
    def keys_file(self) -> Path:
        return self.home / "keys.json"

    @property
    def tokens_file(self) -> Path:
        return self.home / "token-keys.json"

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https://")

    @classmethod
    def of_home(cls, home: Path, **changes: object) -> Settings:
        """Settings of the one-machine form: everything in one directory."""
        values: dict[str, object] = {"home": home, "database_url": f"sqlite:///{home / 'xinqiao.sqlite'}"}
        return cls(**{**values, **changes})  # type: ignore[arg-type]  # names and types are the caller's

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """From ``XINQIAO_…``. Raises :class:`SettingsRefused`."""
        env = os.environ if environment is None else environment
        home = Path(env.get("XINQIAO_HOME", "var")).absolute()
        changes: dict[str, object] = {"production": env.get("XINQIAO_PRODUCTION", "") == "1"}
        if url := env.get("XINQIAO_DATABASE_URL"):
            changes["database_url"] = url
        if base := env.get("XINQIAO_BASE_URL"):
            changes["base_url"] = base.rstrip("/")
        if hosts := env.get("XINQIAO_ALLOWED_HOSTS"):
            changes["allowed_hosts"] = tuple(h.strip() for h in hosts.split(",") if h.strip())
        if proxies := env.get("XINQIAO_TRUSTED_PROXIES"):
            changes["trusted_proxies"] = tuple(p.strip() for p in proxies.split(",") if p.strip())
        if font := env.get("XINQIAO_FONT"):
            changes["font"] = Path(font)
        if own := env.get("XINQIAO_INSTRUMENTS"):
            changes["instruments"] = Path(own).absolute()
        changes["webhook"] = _webhook(env)
        changes["worker_inside"] = env.get("XINQIAO_WORKER", "inside") == "inside"
        if backups := env.get("XINQIAO_BACKUP_TO"):
            changes["backup_to"] = Path(backups).absolute()
        changes["backup_keep"] = _count(env, "XINQIAO_BACKUP_KEEP", 96)
        settings = cls.of_home(home, **changes)
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse what would be unsafe in production."""
        if not self.production:
            return
        if not self.https:
            raise SettingsRefused("XINQIAO_BASE_URL must begin with https:// in production")
        if self.allowed_hosts == ("127.0.0.1", "localhost"):
            raise SettingsRefused("XINQIAO_ALLOWED_HOSTS must name the service's host in production")


def _count(env: Mapping[str, str], name: str, usual: int) -> int:
    said = env.get(name) or str(usual)
    if not said.isascii() or not said.isdigit() or int(said) < 1:
        raise SettingsRefused(f"{name} must be a whole number from 1 upwards")
    return int(said)


def _webhook(env: Mapping[str, str]) -> Webhook | None:
    url = env.get("XINQIAO_WEBHOOK_URL")
    if not url:
        return None
    secret = env.get("XINQIAO_WEBHOOK_SECRET", "").encode()
    if len(secret) < 32:
        raise SettingsRefused("XINQIAO_WEBHOOK_SECRET must be at least 32 characters long")
    return Webhook(url, secret)
