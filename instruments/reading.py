"""Reading one library file strictly: every key is asked for by name and type, or the file is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import yaml

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

# The C reader is ten times faster and is in every published wheel of PyYAML; the other one is the same format.
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class LibraryError(ValueError):
    """A library file that must not be used. Says which file, which field and what is wrong."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}")
        self.file = file
        self.field = field
        self.problem = problem


def load(file: str, data: bytes) -> Node:
    """The file as a ``Node``; a key given twice is an error (YAML would silently keep the last)."""
    try:
        text = data.decode("utf-8")
        _refuse_repeated_keys(file, yaml.compose(text, Loader=_LOADER))
        raw = yaml.load(text, Loader=_LOADER)  # noqa: S506  # _LOADER is one of the two safe loaders
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise LibraryError(file, "file", f"not readable as YAML in UTF-8 ({type(error).__name__})") from error
    return Node(file, "", raw)


def _refuse_repeated_keys(file: str, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise LibraryError(file, name, f"given twice (line {key.start_mark.line + 1})")
            seen.add(name)
            _refuse_repeated_keys(file, value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated_keys(file, child)


class Node:
    """One mapping of a file. Reading a key marks it; ``done`` refuses what nobody asked for."""

    def __init__(self, file: str, path: str, raw: object) -> None:
        self.file = file
        self.path = path
        if not isinstance(raw, dict):
            self.fail("", "must be a mapping")
        self._raw: dict[object, object] = raw
        self._seen: set[object] = set()

    @property
    def raw(self) -> dict[object, object]:
        """The mapping as it was read."""
        return self._raw

    def fail(self, key: str, problem: str) -> NoReturn:
        """Refuse the file because of ``key`` of this mapping (or the mapping itself)."""
        raise LibraryError(self.file, ".".join(part for part in (self.path, key) if part) or "file", problem)

    def done(self) -> None:
        """Refuse keys that were not read."""
        unknown = [str(key) for key in self._raw if key not in self._seen]
        if unknown:
            self.fail(unknown[0], "unknown key")

    def has(self, key: object) -> bool:
        """Whether the key is there (even with null)."""
        return key in self._raw

    def _take(self, key: object) -> object:
        self._seen.add(key)
        if key not in self._raw:
            self.fail(str(key), "missing")
        return self._raw[key]

    def _value(self, key: str, kind: type[T], name: str) -> T:
        value = self._take(key)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            self.fail(key, f"must be {name}")
        return value

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self._value(key, str, "a text")
        if not value.strip():
            self.fail(key, "must not be empty")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        return self._value(key, int, "a whole number")

    def flag(self, key: str) -> bool:
        """True or false."""
        return self._value(key, bool, "true or false")

    def number(self, key: str) -> int | float:
        """A whole or decimal number."""
        return self._number(key, self._take(key))

    def numbers(self, key: str) -> tuple[int | float, ...]:
        """A list of numbers."""
        return tuple(self._number(key, value) for value in self.sequence(key))

    def _number(self, key: str, value: object) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fail(key, "must be a number")
        return value

    def name(self, key: str, known: Mapping[str, object]) -> str:
        """One of the names that were defined above."""
        value = self.text(key)
        if value not in known:
            self.fail(key, f"{value} is not defined")
        return value

    def holds_text(self, key: str) -> bool:
        """Whether the value of ``key`` is a text."""
        return isinstance(self._raw.get(key), str)

    def has_value(self, key: str) -> bool:
        """Whether the key is there and not null; a null is taken as read."""
        if self._raw.get(key) is None:
            self._seen.add(key)
            return False
        return True

    def share(self, key: str) -> float | None:
        """A number between 0 and 1, or None where the key is absent."""
        if not self.has(key):
            return None
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            self.fail(key, "must be a number between 0 and 1")
        return float(value)

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """``read(key)``, or None where the key is absent or null."""
        if self._raw.get(key) is None:
            self._seen.add(key)
            return None
        return read(key)

    def choice(self, key: str, kind: type[E]) -> E:
        """One of the values of an enumeration."""
        value = self._take(key)
        known = [member.value for member in kind]
        if value not in known:
            self.fail(key, f"must be one of {', '.join(known)}")
        return kind(str(value))

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        """One of some texts."""
        value = self._take(key)
        if value not in known:
            self.fail(key, f"must be one of {', '.join(known)}")
        return str(value)

    def sequence(self, key: str) -> list[object]:
        """A list of anything."""
        value = self._take(key)
        if not isinstance(value, list):
            self.fail(key, "must be a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self.sequence(key)
        if not all(isinstance(value, str) and value.strip() for value in values):
            self.fail(key, "must be a list of texts")
        return tuple(str(value) for value in values)

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        values = self.sequence(key)
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            self.fail(key, "must be a list of whole numbers")
        return tuple(value for value in values if isinstance(value, int))

    def keys(self, key: str) -> tuple[str, ...]:
        """A list of item keys or score ids; each once."""
        values = tuple(self.key_of(key, value) for value in self.sequence(key))
        if len(set(values)) != len(values):
            self.fail(key, "names something twice")
        return values

    def key(self, key: str) -> str:
        """One item number or name."""
        return self.key_of(key, self._take(key))

    def key_of(self, key: str, value: object) -> str:
        """An item number or name as the text it is known by."""
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            self.fail(key, "must hold item numbers or names")
        return str(value)

    def nodes(self, key: str) -> Iterator[Node]:
        """A list of mappings; each is refused if it holds a key nobody asked for."""
        for index, raw in enumerate(self.sequence(key)):
            node = Node(self.file, self._below(key, index), raw)
            yield node
            node.done()

    def node(self, key: str) -> Node:
        """A mapping; the caller calls ``done``."""
        return Node(self.file, self._below(key, None), self._take(key))

    def entries(self, key: object) -> list[tuple[object, object]]:
        """A mapping with free keys, as pairs."""
        value = self._take(key)
        if not isinstance(value, dict):
            self.fail(str(key), "must be a mapping")
        return list(value.items())

    def _below(self, key: str, index: int | None) -> str:
        place = key if index is None else f"{key}[{index + 1}]"
        return f"{self.path}.{place}" if self.path else place
