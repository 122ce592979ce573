"""The keys that sign tokens: one file of mode 0600, found by ``kid`` in memory and nowhere else (AU2).

The file holds at least two key pairs, the one that signs and the one that will. ``rotate`` moves on to the next
and keeps the former for checking; ``revoke`` drops a key at once. A running service sees either at its next
token: the file is looked at (not read) each time.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from screening.core.sealing import KeysRefused

KEEP_RETIRED = timedelta(hours=1)  # longer than any token lives
KEY_BYTES = 32

# Keys that stand in documents. Whoever signs with one lets in everybody who reads.
SAMPLES = frozenset(
    {
        bytes(range(32)),
        # RFC 8032, 7.1, tests 1 to 3
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
        bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
        # RFC 8037, appendix A.1
        base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="),
    }
)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one moment."""

    signing: str
    signer: Ed25519PrivateKey = field(repr=False)
    verifiers: Mapping[str, Ed25519PublicKey]
    form_key: bytes = field(repr=False)  # HMAC key of the tokens in our forms


class KeyStore:
    """The key file of a running service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._mark: tuple[int, int, int] | None = None
        self._keys = self.current()

    def current(self) -> KeySet:
        """The keys as the file has them now. Raises :class:`KeysRefused`."""
        mark = _mark(self._path)
        with self._lock:
            if mark is None or mark != self._mark:
                self._keys, self._mark = read(self._path), mark
            return self._keys


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


# --- the file ----------------------------------------------------------------------------------------------


def create(path: Path) -> None:
    """Make the key file, mode 0600. Refuses to replace one. ``xinqiao db init`` calls this."""
    first, second = _new_kid(), _new_kid()
    body = {
        "signing": first,
        "forms": _text(secrets.token_bytes(KEY_BYTES)),
        "keys": {first: _new_key(), second: _new_key()},
    }
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(body, file)


def read(path: Path) -> KeySet:
    """The keys stored at ``path``. Raises :class:`KeysRefused` in words an operator can act on."""
    body = _load(path)
    try:
        raw = {str(kid): _bytes(entry["private"]) for kid, entry in body["keys"].items()}
        signing, form_key = str(body["signing"]), _bytes(body["forms"])
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise KeysRefused(f"token key file {path.name} is not a key file of ours") from wrong
    _check(path, raw, signing, form_key)
    private = {kid: Ed25519PrivateKey.from_private_bytes(key) for kid, key in raw.items()}
    verifiers = {kid: key.public_key() for kid, key in private.items()}
    return KeySet(signing=signing, signer=private[signing], verifiers=verifiers, form_key=form_key)


def rotate(path: Path, *, now: datetime) -> str:
    """Sign with the next key from now on; the former still checks. Returns the ``kid`` that signs now."""
    body = _load(path)
    kept = {kid: entry for kid, entry in body["keys"].items() if not _is_over(entry, now)}
    kept[body["signing"]] = {**kept[body["signing"]], "retired_at": now.isoformat()}
    return _move_on(path, body, kept)


def revoke(path: Path, kid: str) -> str:
    """Drop a key: whatever it signed is refused from the next request on. Returns the ``kid`` that signs now."""
    body = _load(path)
    if kid not in body["keys"]:
        raise KeysRefused("there is no token key of this kid")
    kept = {each: entry for each, entry in body["keys"].items() if each != kid}
    return _move_on(path, body, kept)


def _move_on(path: Path, body: dict[str, Any], kept: dict[str, Any]) -> str:
    """Store ``kept`` with a key that signs and a fresh one that will."""
    fresh = [kid for kid, entry in kept.items() if "retired_at" not in entry]
    while len(fresh) < 2:
        fresh.append(kid := _new_kid())
        kept[kid] = _new_key()
    signing = body["signing"] if body["signing"] in fresh else fresh[0]
    _replace(path, {**body, "signing": signing, "keys": kept})
    return str(signing)


def _is_over(entry: dict[str, str], now: datetime) -> bool:
    retired = entry.get("retired_at")
    return retired is not None and datetime.fromisoformat(retired) + KEEP_RETIRED < now


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise KeysRefused(f"token key file {path.name} is missing; `xinqiao db init` makes one")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysRefused(f"token key file {path.name} can be read by others; run chmod 600 on it")
    try:
        body = json.loads(path.read_text())
    except ValueError as wrong:
        raise KeysRefused(f"token key file {path.name} is not a key file of ours") from wrong
    if not isinstance(body, dict):
        raise KeysRefused(f"token key file {path.name} is not a key file of ours")
    return body


def _check(path: Path, raw: Mapping[str, bytes], signing: str, form_key: bytes) -> None:
    for key in (*raw.values(), form_key):
        if len(key) != KEY_BYTES:
            raise KeysRefused(f"token key file {path.name} holds a key that is not {KEY_BYTES} bytes long")
        # Of 32 random bytes some thirty differ; sixteen or fewer is a typed or repeated key.
        if key in SAMPLES or len(set(key)) <= 16:
            raise KeysRefused(f"token key file {path.name} holds a sample key; make a new file")
    if len(raw) < 2 or signing not in raw:
        raise KeysRefused(f"token key file {path.name} needs two keys, one of them the one that signs")


def _replace(path: Path, body: dict[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _new_kid() -> str:
    return secrets.token_hex(8)


def _new_key() -> dict[str, str]:
    return {"private": _text(Ed25519PrivateKey.generate().private_bytes_raw())}


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
