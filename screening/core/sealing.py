"""Secrets at rest: AES-256-GCM bound to its place, and blind indexes for exact search.

A sealed cell is ``version (1) ‖ key id (2) ‖ nonce (12) ‖ ciphertext and tag``. The place, ``table.column:row id``,
is associated data: a cell copied to another row or column does not open (requirement CR1). A blind index is
HMAC-SHA-256 with a key of its own over the normalised value (CR2).
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = 1
_HEAD, _NONCE = 3, 12


class SealBroken(Exception):
    """A stored cell does not open: wrong key, moved from its place, or changed."""


class KeysRefused(Exception):
    """The key file is missing, readable by others, or holds a key that is too short. Says which."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Data keys by id, the id used for new cells, and the key of the blind indexes (32 bytes each)."""

    keys: Mapping[int, bytes] = field(repr=False)
    current: int
    index_key: bytes = field(repr=False)

    def seal(self, place: str, data: bytes) -> bytes:
        head = bytes([FORMAT]) + self.current.to_bytes(2, "big")
        nonce = os.urandom(_NONCE)
        return head + nonce + _cipher(self.keys[self.current]).encrypt(nonce, data, head + place.encode())

    def open(self, place: str, cell: bytes) -> bytes:
        """The plain bytes of ``cell``. Raises :class:`SealBroken`."""
        head, nonce, body = cell[:_HEAD], cell[_HEAD : _HEAD + _NONCE], cell[_HEAD + _NONCE :]
        key = self.keys.get(int.from_bytes(head[1:], "big")) if head[:1] == bytes([FORMAT]) else None
        if key is None:
            raise SealBroken("unknown format or key")
        if len(nonce) < _NONCE:
            raise SealBroken("the cell was cut short")
        try:
            return _cipher(key).decrypt(nonce, body, head + place.encode())
        except InvalidTag as wrong:
            raise SealBroken("the cell was changed or moved") from wrong

    def blind(self, kind: str, value: str) -> bytes:
        """The blind index (32 bytes) of ``value`` among values of one ``kind`` such as ``child.name``."""
        text = normalise(value)
        return hmac.digest(self.index_key, f"{kind}\0{text}".encode(), "sha256")

    @classmethod
    def generate(cls) -> Keyring:
        return cls(keys={1: os.urandom(32)}, current=1, index_key=os.urandom(32))


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    """The cipher of a key: setting the key up costs more than sealing a name with it."""
    return AESGCM(key)


def normalise(value: str) -> str:
    """NFKC, upper case, letters and digits only: what two spellings of one number have in common."""
    folded = unicodedata.normalize("NFKC", value).upper()
    return "".join(char for char in folded if char.isalnum())


def write_keys(path: Path, keyring: Keyring) -> None:
    """Store a new key file, mode 0600. Refuses to replace one: that would make every cell unreadable."""
    body = {
        "current": keyring.current,
        "data": {str(i): base64.b64encode(k).decode() for i, k in keyring.keys.items()},
        "index": base64.b64encode(keyring.index_key).decode(),
    }
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(body, file)


def read_keys(path: Path) -> Keyring:
    """The keyring stored at ``path``. Raises :class:`KeysRefused` in words an operator can act on."""
    if not path.is_file():
        raise KeysRefused(
            f"key file {path.name} is missing; `xinqiao db init` makes one, a restore needs the old one"
        )
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysRefused(f"key file {path.name} can be read by others; run chmod 600 on it")
    try:
        body = json.loads(path.read_text())
        keys = {int(i): base64.b64decode(k, validate=True) for i, k in body["data"].items()}
        ring = Keyring(keys, int(body["current"]), base64.b64decode(body["index"], validate=True))
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise KeysRefused(f"key file {path.name} is not a key file of ours") from wrong
    if ring.current not in keys or any(len(key) != 32 for key in [*keys.values(), ring.index_key]):
        raise KeysRefused(f"key file {path.name} holds a key that is not 32 bytes long")
    return ring
