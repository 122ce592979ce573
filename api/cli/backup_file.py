"""The file of a backup: encrypted, in pieces, with a manifest in front; a half, foreign or changed one is refused.

Layout: a line of ours, the length and text of a head (JSON, readable: format, which key, salt), then records. The
first record is the manifest (JSON), the others are the pieces of the payload, each compressed by itself. A record is
``length (4) ‖ AES-256-GCM``; its nonce is its number (11 bytes) and whether it is the last (1 byte), and the head is
associated data, so that pieces cannot be left out, swapped, cut off or put under another head.

The key is derived from the data key of the keyring (HKDF-SHA-256 with a salt of this file). No key is in the file:
**restoring needs the ``keys.json`` of the service that made it, kept somewhere else** (requirement CR7).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from screening.core.errors import Conflict, DomainError
from screening.core.faults import fault
from screening.core.sealing import Keyring

MAGIC = b"XINQIAO-BACKUP\n"
FORMAT = 1
PIECE = 1 << 20  # bytes of payload in one record
_HEAD_LIMIT, _RECORD_LIMIT = 4096, PIECE + (1 << 16)
_LENGTH = struct.Struct(">I")
_KEY, _CHECK = 32, 16
SUFFIX = ".backup"


class BackupRefused(DomainError):
    """The file is not restored. Says why, and nothing was changed."""

    code = "backup"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is inside. ``counts``: rows by table; ``size`` and ``sha256`` are of the payload, in bytes and hex.

    ``engine`` is ``sqlite`` (the payload is a database file) or ``postgresql`` (a custom-format dump);
    ``revision`` is the step of the migrations.
    """

    engine: str
    made_at: datetime
    app_version: str
    revision: str
    counts: Mapping[str, int]
    size: int
    sha256: str

    def as_json(self) -> bytes:
        values = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({**values, "made_at": self.made_at.isoformat()}, sort_keys=True).encode()

    @classmethod
    def of_json(cls, text: bytes) -> Manifest:
        """Raises :class:`BackupRefused` for a manifest of another shape: a newer version wrote it."""
        try:
            values = json.loads(text)
            return cls(
                engine=str(values["engine"]),
                made_at=datetime.fromisoformat(values["made_at"]),
                app_version=str(values["app_version"]),
                revision=str(values["revision"]),
                counts={str(table): int(rows) for table, rows in values["counts"].items()},
                size=int(values["size"]),
                sha256=str(values["sha256"]),
            )
        except (KeyError, ValueError, TypeError, AttributeError) as wrong:
            raise BackupRefused(
                "The backup was written by a newer version of this program. Install that version; nothing was changed."
            ) from wrong


# --- writing -----------------------------------------------------------------------------------------------


def write(target: Path, payload: Path, manifest: Manifest, keyring: Keyring) -> None:
    """Make the file, mode 0600, under its own name only when it is whole and on disk.

    Raises :class:`Conflict` when there is one of this name, :class:`BackupRefused` when its directory is missing: a
    disk that is not mounted must not be mistaken for an empty one.
    """
    if not target.parent.is_dir():
        raise BackupRefused(
            "The directory {directory} is missing: is its disk mounted? No backup was made.",
            directory=target.parent,
        )
    if target.exists():
        raise Conflict("There is a file {file} already. It was left as it is.", file=target.name)
    part = part_of(target)
    with suppress(FileNotFoundError):
        part.unlink()
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out, payload.open("rb") as source:
            _write_all(out, source, manifest, keyring)
            out.flush()
            os.fsync(out.fileno())
        fault("backup-written")
        part.rename(target)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    flush_directory(target.parent)


def part_of(target: Path) -> Path:
    """Where a backup stands while it is being written."""
    return target.with_name(f".{target.name}.part")


def _write_all(out: BinaryIO, source: BinaryIO, manifest: Manifest, keyring: Keyring) -> None:
    salt = os.urandom(32)
    key, check = _derive(keyring, keyring.current, salt)
    head = json.dumps(
        {"format": FORMAT, "key": keyring.current, "salt": _text(salt), "check": _text(check)}, sort_keys=True
    ).encode()
    out.write(MAGIC + _LENGTH.pack(len(head)) + head)
    cipher = AESGCM(key)
    _put(out, cipher.encrypt(_nonce(0, last=False), manifest.as_json(), head))
    number, piece = 1, source.read(PIECE)
    while True:
        following = source.read(PIECE)
        fault("backup-piece")
        sealed = cipher.encrypt(_nonce(number, last=not following), zlib.compress(piece, 1), head)
        _put(out, sealed)
        if not following:
            return
        number, piece = number + 1, following


def _put(out: BinaryIO, record: bytes) -> None:
    out.write(_LENGTH.pack(len(record)) + record)


# --- reading -----------------------------------------------------------------------------------------------


class BackupReader:
    """A backup whose head and manifest have been read and belong to our keys."""

    def __init__(self, file: BinaryIO, keyring: Keyring) -> None:
        self._file = file
        self._number = 0
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupRefused("This file is not a backup of ours. Nothing was changed.")
        self._head = self._exactly(self._length(_HEAD_LIMIT))
        self._cipher = AESGCM(self._key(keyring))
        self.manifest = Manifest.of_json(self._open(self._record(), last=False))

    def _key(self, keyring: Keyring) -> bytes:
        try:
            head = json.loads(self._head)
            format_, key_id = int(head["format"]), int(head["key"])
            salt, check = (base64.b64decode(head[name], validate=True) for name in ("salt", "check"))
        except (ValueError, KeyError, TypeError) as wrong:
            raise _damaged(0) from wrong
        if format_ > FORMAT:
            raise BackupRefused(
                "The backup was written by a newer version of this program. Install that version; nothing was changed."
            )
        key, expected = _derive(keyring, key_id, salt) if key_id in keyring.keys else (b"", b"")
        if check != expected:
            raise BackupRefused(
                "The backup was made with other keys than those here. It opens only with the key file (keys.json) of the service that made it; nothing was changed."
            )
        return key

    def pieces(self) -> Iterator[bytes]:
        """The payload. Raises :class:`BackupRefused` at the first piece that is missing or changed."""
        while True:
            record = self._record()
            following = self._file.read(1)
            last = not following
            yield _unpack(self._open(record, last=last), self._number - 1)
            if last:
                return
            self._file.seek(-1, os.SEEK_CUR)

    def extract(self, to: Path) -> None:
        """Write the payload to a new file, mode 0600, on disk when this returns, and like the manifest says."""
        digest, size = hashlib.sha256(), 0
        handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            for piece in self.pieces():
                digest.update(piece)
                size += len(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        if (size, digest.hexdigest()) != (self.manifest.size, self.manifest.sha256):
            raise _damaged(self._number)

    def _record(self) -> bytes:
        return self._exactly(self._length(_RECORD_LIMIT))

    def _length(self, limit: int) -> int:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if not 0 < length <= limit:
            raise _damaged(self._number)
        return int(length)

    def _exactly(self, size: int) -> bytes:
        read = self._file.read(size)
        if len(read) < size:
            raise _cut_short()
        return read

    def _open(self, record: bytes, *, last: bool) -> bytes:
        number, self._number = self._number, self._number + 1
        try:
            return self._cipher.decrypt(_nonce(number, last=last), record, self._head)
        except InvalidTag as wrong:
            # The file ends here with a piece that was not made to be the last one: the rest is gone.
            raise _cut_short() if last and self._opens(record, number) else _damaged(number) from wrong

    def _opens(self, record: bytes, number: int) -> bool:
        with suppress(InvalidTag):
            self._cipher.decrypt(_nonce(number, last=False), record, self._head)
            return True
        return False


@contextmanager
def opened(file: Path, keyring: Keyring) -> Iterator[BackupReader]:
    """Read head and manifest. Raises :class:`BackupRefused` in words an operator can act on."""
    if not file.is_file():
        raise BackupRefused("There is no file {file}.", file=file)
    with file.open("rb") as source:
        yield BackupReader(source, keyring)


def _unpack(data: bytes, number: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        piece = unpacker.decompress(data, PIECE + 1)
    except zlib.error as wrong:
        raise _damaged(number) from wrong
    if not unpacker.eof or unpacker.unused_data or len(piece) > PIECE:
        raise _damaged(number)
    return piece


def _damaged(number: int) -> BackupRefused:
    return BackupRefused(
        "The backup is damaged: piece {number} has been changed since it was made. Take another one; nothing was changed.",
        number=number,
    )


def _cut_short() -> BackupRefused:
    return BackupRefused(
        "The backup is cut short: its end is missing. Take another one; nothing was changed."
    )


# --- shared ------------------------------------------------------------------------------------------------


def flush_directory(directory: Path) -> None:
    """A new name is on disk only when its directory is."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _derive(keyring: Keyring, key_id: int, salt: bytes) -> tuple[bytes, bytes]:
    """The key of one file, and the mark that tells a foreign keyring from a damaged file."""
    made = HKDF(hashes.SHA256(), _KEY + _CHECK, salt, b"xinqiao backup 1").derive(keyring.keys[key_id])
    return made[:_KEY], made[_KEY:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
