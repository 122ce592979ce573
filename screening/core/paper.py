"""Paper: a template and values become a PDF, in a process of its own. The only place that speaks WeasyPrint.

``Printer`` owns one long-lived child process and hands it one document at a time. Why a process and not a thread:
WeasyPrint threads that share a font configuration corrupt the heap; a runaway text can be killed; a crash in a C
library takes nobody along; and neither the web process nor the worker carries WeasyPrint's 50 MB. The child gets
the environment it needs and nothing else (no keys), cannot open a connection, and reads no file that a document
asks for except our two fonts.

The same module runs on both sides: the child is ``python -m screening.core.paper``, and only it imports WeasyPrint.

What a paper may hold (``docs/adr/0005-printing.md`` has the reasons):

- Text from people is escaped, never a template. A character the font lacks prints as a framed code point and a line
  for the pen, and is reported; in our own template the same is an error, because nobody could have typed it.
- The same template and values give the same bytes, in any child and on any day: no date, no producer, no identifier.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from screening.core.errors import InvalidInput, Unavailable

log = logging.getLogger(__name__)

FIELD_LIMIT = 5_000  # characters of one text
TOTAL_LIMIT = 20_000  # characters of all texts together
TIMEOUT_SECONDS = 20.0
START_SECONDS = 90.0  # importing WeasyPrint takes about a second of CPU; a busy machine takes longer
MEMORY_BYTES = 512 * 2**20
RENDERS_PER_CHILD = 500

FONT_FOLDER = Path("/usr/share/fonts/truetype/lxgw-wenkai")
FONT_NAMES = ("LXGWWenKai-Regular.ttf",)
BOLD_NAMES = ("LXGWWenKai-Bold.ttf", "LXGWWenKai-Medium.ttf")  # newer releases call the heavy face Medium
LIBRARIES = {  # shared object → the Debian package that brings it
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


class PaperError(Unavailable):
    """No paper this time. Nothing is half written; trying again may help."""

    code = "paper"


class PaperTimeout(PaperError):
    """The child took too long and was ended."""


class PaperCrash(PaperError):
    """The child ended by itself: a crash in a library, or more memory than it may have."""


class PaperFault(PaperError):
    """Our own template is wrong; trying again will not help. Names the place, never a value."""


class PaperTooLong(InvalidInput):
    """A text is longer than a paper can carry."""


@dataclass(frozen=True, slots=True)
class Fonts:
    """The two faces everything is printed in: static TrueType files. ``bold`` may be the same file."""

    regular: Path
    bold: Path


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished paper. ``missing_glyphs``: characters of people's texts the font lacks, sorted, each once."""

    pdf: bytes
    pages: int
    missing_glyphs: tuple[str, ...]


# ── what the machine must have ────────────────────────────────────────────────────────────────────────────


def find_fonts(font: str | os.PathLike[str] | None = None) -> Fonts:
    """The faces to print with: ``font``, else ``XINQIAO_FONT``, else LXGW WenKai where Debian puts it.

    A heavy face is looked for beside the regular one. Raises ``PaperError`` when there is no such file.
    """
    named = font or os.environ.get("XINQIAO_FONT")
    candidates = [Path(named)] if named else [FONT_FOLDER / name for name in FONT_NAMES]
    regular = next((path.resolve() for path in candidates if path.is_file()), None)
    if regular is None:
        raise PaperError(
            "The font for papers is missing: install the package fonts-lxgw-wenkai, or name a TrueType file in XINQIAO_FONT."
        )
    beside = [regular.with_name(regular.name.replace("-Regular", weight)) for weight in ("-Bold", "-Medium")]
    bold = next((path for path in beside if path != regular and path.is_file()), regular)
    return Fonts(regular=regular, bold=bold)


def _is_static_truetype(path: Path) -> bool:
    """CFF outlines print 4× larger files, variable fonts cost 10 s a note, woff2 7 s a start: see the ADR."""
    with path.open("rb") as file:
        head = file.read(12)
        tables = file.read(16 * struct.unpack(">H", head[4:6])[0]) if len(head) == 12 else b""
    tags = {tables[at : at + 4] for at in range(0, len(tables), 16)}
    return head[:4] in (b"\0\1\0\0", b"true") and b"glyf" in tags and b"fvar" not in tags


def self_check(font: str | os.PathLike[str] | None = None) -> tuple[tuple[str, dict[str, str]], ...]:
    """What is missing for printing, as message ids with parameters; empty when all is there.

    Cheap enough for every start: it opens the libraries and reads the head of the font file.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            found.append(
                (
                    "The library {library} is missing: install the package {package}.",
                    {"library": library, "package": package},
                )
            )
    try:
        fonts = find_fonts(font)
    except PaperError as error:
        found.append((error.message, {}))
    else:
        for path in sorted({fonts.regular, fonts.bold}):
            if not _is_static_truetype(path):
                found.append(
                    (
                        "The font file {file} is not a static TrueType font, which papers need.",
                        {"file": path.name},
                    )
                )
    return tuple(found)


# ── the side that asks ────────────────────────────────────────────────────────────────────────────────────


def texts_of(value: object) -> Iterator[str]:
    """Every text inside nested values (keys are ours and do not count)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from texts_of(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts_of(part)


def check_length(values: Mapping[str, object]) -> None:
    """Raises ``PaperTooLong`` before any work is done."""
    total = 0
    for text in texts_of(values):
        if len(text) > FIELD_LIMIT:
            raise PaperTooLong("A text on a paper may have at most {limit} characters.", limit=FIELD_LIMIT)
        total += len(text)
    if total > TOTAL_LIMIT:
        raise PaperTooLong(
            "All texts on a paper together may have at most {limit} characters.", limit=TOTAL_LIMIT
        )


class Printer:
    """One child process that prints; started at the first paper, restarted when it has ended or grown old.

    Safe to share between threads: papers are made one after the other. Close it, or use it in a ``with``.
    """

    def __init__(
        self,
        fonts: Fonts | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        renders_per_child: int = RENDERS_PER_CHILD,
    ) -> None:
        self._fonts = fonts
        self._timeout = timeout
        self._memory_bytes = memory_bytes
        self._renders_per_child = renders_per_child
        self._renders = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        """The running child, for measurements."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Start the child now, so that the first paper does not wait for it."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the child. The printer can be used again."""
        with self._lock:
            self._end()

    def render(self, template: str | os.PathLike[str], values: Mapping[str, object]) -> Rendered:
        """Print the template file with ``values`` (what JSON can hold). The style sheets beside it apply.

        Raises ``PaperTooLong``, ``PaperTimeout``, ``PaperCrash`` or ``PaperFault``.
        """
        check_length(values)
        order = {"template": os.fspath(template), "values": values}
        body = json.dumps(order, ensure_ascii=True, allow_nan=False).encode("ascii")
        with self._lock:
            child = self._running()
            try:
                answer, pdf = self._ask(child, body)
            except (PaperError, OSError) as error:
                self._end()
                if isinstance(error, PaperError):
                    raise
                raise PaperCrash("The printing process ended without a paper.") from error
            self._renders += 1
            if answer.get("exhausted") or self._renders >= self._renders_per_child:
                self._end()
        return _rendered(answer, pdf)

    def _ask(self, child: subprocess.Popen[bytes], body: bytes) -> tuple[dict[str, Any], bytes]:
        deadline = time.monotonic() + self._timeout
        _write(child, struct.pack(">I", len(body)) + body, deadline)
        return _read_answer(child, deadline)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        fonts = self._fonts or find_fonts()
        # The child's own folder: WeasyPrint copies the fonts there, and a killed child cannot tidy up.
        self._folder = tempfile.TemporaryDirectory(prefix="xinqiao-paper-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        # No system fonts: a character must look the same on every machine, or be reported.
        (folder / "fonts.conf").write_text(
            f'<?xml version="1.0"?><fontconfig><cachedir>{folder}</cachedir></fontconfig>', encoding="utf-8"
        )
        # Our own interpreter and module, no shell.
        self._child = subprocess.Popen(  # noqa: S603
            [
                sys.executable, "-P", "-m", "screening.core.paper",
                str(fonts.regular), str(fonts.bold), str(self._memory_bytes),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a library's complaint may quote a child's name
            env=_environment(folder),
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for the service, which closes its printer itself
        )  # fmt: skip
        os.set_blocking(_descriptor(self._child.stdin), False)
        self._renders = 0
        try:
            _rendered(*_read_answer(self._child, time.monotonic() + START_SECONDS))
        except PaperError:
            self._end()
            raise
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            child.wait()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _environment(folder: Path) -> dict[str, str]:
    """What the child may know: where code and libraries are. No keys, no database address."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    path = [os.path.abspath(entry) for entry in sys.path]
    return kept | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
        "HOME": str(folder),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise PaperCrash("The printing process ended without a paper.")
    return pipe.fileno()


def _wait(fd: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(fd, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise PaperTimeout("Making the paper took too long.")


def _write(child: subprocess.Popen[bytes], body: bytes, deadline: float) -> None:
    fd = _descriptor(child.stdin)
    left = memoryview(body)
    while left:
        _wait(fd, select.POLLOUT, deadline)
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            continue


def _read(child: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    fd = _descriptor(child.stdout)
    parts: list[bytes] = []
    while size:
        _wait(fd, select.POLLIN, deadline)
        part = os.read(fd, min(size, 1 << 16))
        if not part:
            raise PaperCrash("The printing process ended without a paper.")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read_answer(child: subprocess.Popen[bytes], deadline: float) -> tuple[dict[str, Any], bytes]:
    head, body = struct.unpack(">II", _read(child, 8, deadline))
    answer: dict[str, Any] = json.loads(_read(child, head, deadline))
    return answer, _read(child, body, deadline)


def _rendered(answer: dict[str, Any], pdf: bytes) -> Rendered:
    if answer.get("refused"):
        # Somebody has put markup into a template or past the escaping: worth an operator's look.
        log.warning("a paper asked for %d outside resource(s); refused", answer["refused"])
    if answer.get("exhausted"):
        raise PaperCrash("The printing process ran out of memory.")
    if "fault" in answer:
        raise PaperFault("The template of this paper is wrong: {reason}", reason=answer["fault"])
    return Rendered(pdf=pdf, pages=answer["pages"], missing_glyphs=tuple(answer["missing"]))


# ── the side that prints ──────────────────────────────────────────────────────────────────────────────────

# The face for everything, and how a character the font lacks looks: its code point in a frame, then a line.
BASE_STYLE = """
@font-face { font-family: Paper; font-weight: 400; src: url("%(regular)s") }
@font-face { font-family: Paper; font-weight: 700; src: url("%(bold)s") }
html { font-family: Paper }
.unbroken { overflow-wrap: anywhere }
.lacking { border: .6pt solid #000; padding: 0 .5mm }
.lacking-pen { border-bottom: .6pt solid #000; display: inline-block; width: 9mm }
"""

# A run without a place to break the line (an address of the web, one letter held down) may break anywhere. Not set
# on everything: it costs a tenth of the whole note.
_UNBROKEN = re.compile("[^\\s\u2e80-\uffff\U00020000-\U0003ffff]{20,}")

_NOT_ALLOWED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork")


def _deny(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith(_NOT_ALLOWED):
        raise PermissionError(event)


class _Fault(Exception):
    """Our own template or style sheet is wrong; the text names a place, never a value."""


class _Press:
    """Inside the child: one font configuration and one set of parsed style sheets for life."""

    def __init__(self, regular: Path, bold: Path) -> None:
        from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools has no types
        from weasyprint import CSS, HTML
        from weasyprint.logger import LOGGER
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher

        press = self

        class OnlyOurFonts(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
            def fetch(self, url: str, headers: dict[str, str] | None = None) -> Any:
                if url in press.font_urls:
                    return super().fetch(url, headers)
                press.refused += 1
                raise ValueError("no outside resources")

        class NoticeMissingGlyph(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if str(record.msg).startswith(".notdef"):
                    press.notdef.append(f"U+{record.args[1]:04X}")  # type: ignore[index]  # (character, point)

        self.font_urls = {regular.as_uri(), bold.as_uri()}
        self.refused = 0
        self.notdef: list[str] = []
        self.missing: set[str] = set()
        self._html, self._css = HTML, CSS
        self._fetcher = OnlyOurFonts()
        self._fonts = FontConfiguration()
        LOGGER.handlers = [NoticeMissingGlyph()]
        LOGGER.propagate = False
        self._drawable = frozenset[int]().union(
            *(TTFont(path, lazy=True).getBestCmap() for path in sorted({regular, bold}))
        )
        faces = BASE_STYLE % {"regular": regular.as_uri(), "bold": bold.as_uri()}
        self._base = self._style(faces)
        self._folders: dict[Path, tuple[Any, list[Any]]] = {}

    def _style(self, text: str) -> Any:
        return self._css(string=text, url_fetcher=self._fetcher, font_config=self._fonts)

    def _folder(self, folder: Path) -> tuple[Any, list[Any]]:
        """Template environment and style sheets of one folder, read once."""
        if folder not in self._folders:
            from jinja2 import Environment, FileSystemLoader, StrictUndefined

            sheets = [path.read_text("utf-8") for path in sorted(folder.glob("*.css"))]
            for source in [*sheets, *(path.read_text("utf-8") for path in sorted(folder.glob("*.html")))]:
                self._check_our_text(source)
            environment = Environment(
                loader=FileSystemLoader(folder),
                autoescape=True,
                undefined=StrictUndefined,
                finalize=self._person_text,
                trim_blocks=True,
                lstrip_blocks=True,
            )
            self._folders[folder] = environment, [self._base, *map(self._style, sheets)]
        return self._folders[folder]

    def _check_our_text(self, source: str) -> None:
        lacking = sorted({c for c in source if ord(c) not in self._drawable and not c.isspace()})
        if lacking:
            raise _Fault("no glyph for " + " ".join(f"U+{ord(c):04X}" for c in lacking))

    def _person_text(self, value: object) -> object:
        """Every ``{{ … }}`` passes here before escaping: missing glyphs become frames, unseen marks go."""
        from markupsafe import Markup, escape

        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        parts: list[str] = []
        at = 0
        for run in _UNBROKEN.finditer(value):
            parts += (self._drawn(value[at : run.start()], escape), '<span class="unbroken">')
            parts += (self._drawn(run.group(), escape), "</span>")
            at = run.end()
        parts.append(self._drawn(value[at:], escape))
        return Markup("".join(parts))  # noqa: S704  # every piece of the value went through escape

    def _drawn(self, text: str, escape: Callable[[str], str]) -> str:
        if all(ord(character) in self._drawable for character in text):
            return str(escape(text))
        return "".join(self._drawn_character(character, escape) for character in text)

    def _drawn_character(self, character: str, escape: Callable[[str], str]) -> str:
        if ord(character) in self._drawable:
            return str(escape(character))
        if character.isspace():
            return " "
        if _has_no_ink(character):
            return ""
        self.missing.add(character)
        frame = f"［U+{ord(character):04X}］"
        return f'<span class="lacking">{frame}</span><span class="lacking-pen"></span>'

    def print(self, template: str, values: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        self.refused = 0
        self.notdef.clear()
        self.missing.clear()
        path = Path(template)
        environment, sheets = self._folder(path.parent)
        html = environment.get_template(path.name).render(values)
        document = self._html(string=html, url_fetcher=self._fetcher).render(
            font_config=self._fonts, stylesheets=sheets
        )
        pdf = document.write_pdf(finisher=_without_metadata)
        if self.notdef:
            raise _Fault("no glyph for " + " ".join(sorted(set(self.notdef))))
        answer = {"pages": len(document.pages), "missing": sorted(self.missing), "refused": self.refused}
        return pdf, answer


def _without_metadata(_document: object, pdf: Any) -> None:
    pdf.info.clear()


def _has_no_ink(character: str) -> bool:
    """Controls, joiners, direction marks and variation selectors: nothing would be seen, some would mislead."""
    point = ord(character)
    return (
        unicodedata.category(character) in ("Cc", "Cf", "Cs")
        or 0xFE00 <= point <= 0xFE0F
        or 0xE0100 <= point <= 0xE01EF
    )


def _place(error: BaseException) -> str:
    """Kind of error and the line of ours it came from; never its text, which may quote a value."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        name = Path(trace.tb_frame.f_code.co_filename).name
        if name.endswith((".html", ".css")):
            place = f" at {name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"


def _answer(outlet: IO[bytes], answer: dict[str, Any], pdf: bytes = b"") -> None:
    head = json.dumps(answer).encode("ascii")
    outlet.write(struct.pack(">II", len(head), len(pdf)) + head + pdf)
    outlet.flush()


def _serve(press: _Press, inlet: IO[bytes], outlet: IO[bytes]) -> None:
    while len(size := inlet.read(4)) == 4:
        order = json.loads(inlet.read(struct.unpack(">I", size)[0]))
        try:
            pdf, answer = press.print(order["template"], order["values"])
        except MemoryError:
            pdf, answer = b"", {"exhausted": True, "refused": press.refused}
        except _Fault as error:
            pdf, answer = b"", {"fault": str(error), "refused": press.refused}
        # Whatever a document can provoke inside the libraries ends this document, not the child.
        except Exception as error:
            pdf, answer = b"", {"fault": _place(error), "refused": press.refused}
        _answer(outlet, answer, pdf)


def _child(regular: str, bold: str, memory_bytes: str) -> None:
    import resource

    # Answers go out on a private descriptor: nothing a library prints can mix with them.
    inlet, outlet = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold names
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_bytes), int(memory_bytes)))
    try:
        press = _Press(Path(regular), Path(bold))
    except Exception as error:
        _answer(outlet, {"fault": _place(error)})
        raise
    gc.freeze()  # libraries and fonts stay for life: the collector need not look at them again
    sys.addaudithook(_deny)
    _answer(outlet, {"pages": 0, "missing": []})
    _serve(press, inlet, outlet)
    # The asking side is gone, perhaps killed: nobody else would remove our folder with its copies of the fonts.
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


if __name__ == "__main__":
    _child(*sys.argv[1:])
