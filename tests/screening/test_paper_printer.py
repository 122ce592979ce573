"""A template and values become a PDF in a process of its own, whatever happens there."""

from __future__ import annotations

import io
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pypdf
import pytest

from screening.core import paper
from screening.core.i18n import translate
from screening.core.paper import (
    FIELD_LIMIT,
    TOTAL_LIMIT,
    Fonts,
    PaperCrash,
    PaperError,
    PaperFault,
    PaperTimeout,
    PaperTooLong,
    Printer,
    find_fonts,
    self_check,
)

RARE = "王䶮 李𬍡玥 张㛃 陈彧 何〇"
ENDLESS = "{% for i in range(10 ** 9) %}{% endfor %}"


@pytest.fixture(scope="module")
def printer():
    with Printer() as one:
        yield one


@pytest.fixture
def template(tmp_path):
    """A template file with this text, in a folder of its own."""

    def write(text, css="p { font-size: 12pt }"):
        (tmp_path / "paper.css").write_text(css, encoding="utf-8")
        path = tmp_path / "paper.html"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def text_of(pdf):
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def test_rare_names_are_drawn_and_can_be_read_back(printer, template, tmp_path):
    made = printer.render(template("<p>{{ names }}</p>"), {"names": RARE})
    assert (made.pages, made.missing_glyphs) == (1, ())
    assert made.pdf.startswith(b"%PDF-")
    read = text_of(made.pdf)
    if shutil.which("pdftotext"):
        (tmp_path / "one.pdf").write_bytes(made.pdf)
        read = subprocess.check_output(["pdftotext", tmp_path / "one.pdf", "-"]).decode()
    for name in RARE.split():
        assert name in read


def test_the_asking_process_never_loads_weasyprint(template):
    code = (
        "import sys; from screening.core.paper import Printer\n"
        f"with Printer() as p: made = p.render({str(template('<p>一</p>'))!r}, {{}})\n"
        "assert made.pages == 1\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in ('weasyprint', 'pydyf', 'fontTools', 'jinja2')]\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(paper.__file__).parents[2])


def test_two_children_give_the_same_bytes(printer, template):
    path, values = template("<p>{{ names }}</p>"), {"names": RARE + "\U0002ce24"}
    first = printer.render(path, values)
    with Printer() as other:
        second = other.render(path, values)
        assert other.child_pid != printer.child_pid
    assert first == second == printer.render(path, values)


def test_the_file_says_nothing_about_its_making(printer, template):
    pdf = printer.render(template("<html lang='zh'><title>甲</title><p>乙</p></html>"), {}).pdf
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert not reader.metadata
    assert reader.xmp_metadata is None
    for trace in (b"WeasyPrint", b"CreationDate", b"ModDate", b"/ID", b"Producer", str(Path.home()).encode()):
        assert trace not in pdf


def test_a_missing_glyph_in_a_persons_text_is_framed_and_reported(printer, template):
    made = printer.render(template("<p>{{ a }} {{ b }}</p>"), {"a": "李\U0002ce24明😀", "b": "😀"})
    assert made.missing_glyphs == ("😀", "\U0002ce24")
    assert "［U+2CE24］" in text_of(made.pdf)
    assert text_of(made.pdf).count("［U+1F600］") == 2
    # the next paper starts with a clean sheet
    assert printer.render(template("<p>{{ a }} {{ b }}</p>"), {"a": "李", "b": "明"}).missing_glyphs == ()


@pytest.mark.parametrize("where", ["template", "style"])
def test_a_missing_glyph_in_our_own_text_is_an_error(printer, template, where):
    path = template("<p>☑</p>") if where == "template" else template("<p>x</p>", 'p:before { content: "☑" }')
    with pytest.raises(PaperFault, match=r"U\+2611"):
        printer.render(path, {})


def test_marks_without_ink_are_left_out(printer, template):
    unseen = "李\u200b\u202e\u2066明\ufe0f\U000e0100\u0007\ud800"
    made = printer.render(template("<p>{{ a }}</p>"), {"a": unseen})
    assert made.missing_glyphs == ()
    assert "李明" in text_of(made.pdf).replace("\u200b", "")


def test_text_from_people_is_never_markup_nor_template(printer, template):
    typed = "<b>粗</b> {{ 7 * 7 }} {% raw %} & <img src='file:///etc/hostname'>"
    read = text_of(printer.render(template("<p>{{ a }}</p>"), {"a": typed}).pdf)
    assert typed.replace(" ", "") in read.replace(" ", "").replace("\n", "")


def test_a_long_run_without_blanks_stays_on_the_sheet(printer, template):
    made = printer.render(template("<p>{{ a }}</p>"), {"a": "x" * 900})
    assert text_of(made.pdf).count("\n") >= 9


def test_everything_but_our_fonts_is_refused_and_logged(printer, template, tmp_path, caplog):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not print")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        page = (
            f"<link rel=attachment href='{secret.as_uri()}'><img src='{secret.as_uri()}'><img src='{url}'>"
            f"<img src='data:image/png;base64,AAAA'><p>还在</p>"
        )
        with caplog.at_level(logging.WARNING):
            made = printer.render(template(page), {})
        with pytest.raises(TimeoutError):
            server.accept()
    assert "还在" in text_of(made.pdf)
    assert "/EmbeddedFile" not in made.pdf.decode("latin-1")
    assert "refused" in caplog.text
    assert "secret" not in caplog.text
    assert "127.0.0.1" not in caplog.text


@pytest.mark.parametrize(
    "event", ["socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn"]
)
def test_the_child_may_not_call_out_nor_start_anything(event):
    with pytest.raises(PermissionError):
        paper._deny(event, ())
    paper._deny("open", ())


def test_texts_have_limits(printer, template):
    path = template("<p>{{ a }}</p>")
    with pytest.raises(PaperTooLong):
        printer.render(path, {"a": "好" * (FIELD_LIMIT + 1)})
    with pytest.raises(PaperTooLong):
        printer.render(path, {"a": [{"b": "好" * FIELD_LIMIT}] * 4 + ["好"]})
    assert TOTAL_LIMIT == 4 * FIELD_LIMIT
    assert printer.render(path, {"a": "好" * FIELD_LIMIT}).pages > 1


def test_a_wrong_template_is_named_without_values(printer, template):
    path = template("<p>{{ name }}</p>\n<p>{{ nmae }}</p>")
    with pytest.raises(PaperFault) as refused:
        printer.render(path, {"name": "李明"})
    assert "UndefinedError at paper.html:2" in str(refused.value)
    assert "李明" not in str(refused.value)
    with pytest.raises(PaperFault, match="TemplateNotFound"):
        printer.render(path.with_name("absent.html"), {})


def test_a_paper_that_takes_too_long_is_given_up_and_the_next_one_works(template):
    endless = template(ENDLESS)
    with Printer(timeout=1.0) as printer:
        printer.start()
        started = time.monotonic()
        with pytest.raises(PaperTimeout):
            printer.render(endless, {})
        assert time.monotonic() - started < 8
        assert printer.child_pid is None
    with Printer() as printer:
        assert printer.render(template("<p>好</p>"), {}).pages == 1


def test_a_child_killed_in_the_middle_is_replaced(template):
    with Printer() as printer:
        printer.start()
        first = printer.child_pid
        timer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
        timer.start()
        with pytest.raises(PaperCrash):
            printer.render(template(ENDLESS), {})
        timer.join()
        assert printer.render(template("<p>好</p>"), {}).pages == 1
        assert printer.child_pid not in (None, first)


def test_a_child_that_died_between_two_papers_is_replaced_unnoticed(template):
    with Printer() as printer:
        printer.start()
        child = printer.child_pid
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert printer.render(template("<p>好</p>"), {}).pages == 1


def test_memory_is_limited_and_the_next_paper_works(template):
    with Printer() as printer:
        with pytest.raises(PaperCrash, match="memory"):
            printer.render(template("{% set x = 'a' * (10 ** 9) %}"), {})
        assert printer.render(template("<p>好</p>"), {}).pages == 1
        limits = Path(f"/proc/{printer.child_pid}/limits").read_text()
        assert f"Max address space         {512 * 2**20}" in limits
        assert "Max core file size        0" in limits


def test_a_child_is_replaced_after_its_share_of_papers(template):
    path = template("<p>好</p>")
    with Printer(renders_per_child=2) as printer:
        printer.start()
        first = printer.child_pid
        printer.render(path, {})
        assert printer.child_pid == first
        printer.render(path, {})
        assert printer.child_pid is None
        printer.render(path, {})
        assert printer.child_pid != first


def test_the_child_gets_no_keys_and_leaves_no_files(template, monkeypatch):
    monkeypatch.setenv("XINQIAO_DATA_KEY", "very-secret")
    with Printer() as printer:
        printer.render(template("<p>好</p>"), {})
        given = Path(f"/proc/{printer.child_pid}/environ").read_bytes().decode()
        assert "very-secret" not in given
        folder = Path(dict(line.split("=", 1) for line in given.strip("\0").split("\0"))["TMPDIR"])
        assert folder.is_dir()
    assert not folder.exists()


def test_threads_may_share_a_printer(printer, template):
    path, made = template("<p>{{ a }}</p>"), {}
    threads = [
        threading.Thread(target=lambda n=n: made.update({n: printer.render(path, {"a": f"甲{n}"})}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [f"甲{n}" in text_of(made[n].pdf) for n in range(4)] == [True] * 4


# ── what the machine must have ────────────────────────────────────────────────────────────────────────────


def test_this_machine_can_print():
    assert self_check() == ()


def test_the_font_can_be_chosen(monkeypatch, tmp_path):
    for name in ("Other-Regular.ttf", "Other-Bold.ttf", "Alone.ttf"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setenv("XINQIAO_FONT", str(tmp_path / "Other-Regular.ttf"))
    assert find_fonts() == Fonts(tmp_path / "Other-Regular.ttf", tmp_path / "Other-Bold.ttf")
    assert find_fonts(tmp_path / "Alone.ttf") == Fonts(tmp_path / "Alone.ttf", tmp_path / "Alone.ttf")


def test_what_is_missing_is_said_in_words(monkeypatch, tmp_path):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(paper.ctypes, "CDLL", absent)
    monkeypatch.setenv("XINQIAO_FONT", str(tmp_path / "none.ttf"))
    told = [translate("zh", message, **params) for message, params in self_check()]
    assert any("libharfbuzz-subset0" in line for line in told)
    assert any("fonts-lxgw-wenkai" in line for line in told)
    assert all(translate("zh", message) != message for message, _ in self_check())
    with pytest.raises(PaperError), Printer() as printer:
        printer.start()


@pytest.mark.parametrize("head", [b"OTTO\0\1" + b"\0" * 40, b"ttcf" + b"\0" * 40, b"wOF2" + b"\0" * 40, b""])
def test_a_font_of_the_wrong_kind_is_noticed(tmp_path, head):
    path = tmp_path / "Wrong.ttf"
    path.write_bytes(head)
    ((message, params),) = self_check(path)
    assert "Wrong.ttf" in translate("zh", message, **params)


def test_a_font_that_is_none_is_a_clear_error(tmp_path, template):
    path = tmp_path / "Broken.ttf"
    path.write_bytes(b"\0\1\0\0")
    with pytest.raises(PaperError), Printer(Fonts(path, path)) as printer:
        printer.render(template("<p>x</p>"), {})


def test_messages_are_in_the_chinese_catalogue():
    source = Path(paper.__file__).read_text(encoding="utf-8")
    for message in (
        "A text on a paper may have at most {limit} characters.",
        "All texts on a paper together may have at most {limit} characters.",
        "Making the paper took too long.",
        "The printing process ended without a paper.",
        "The printing process ran out of memory.",
        "The template of this paper is wrong: {reason}",
    ):
        assert message in source
        assert translate("zh", message) != message
