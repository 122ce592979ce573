"""The printed two-way referral note: what a clinic holds in its hands."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy
import pypdf
import pytest
import segno

from referral import terms
from referral.disclosure import check, compose
from referral.notes import render
from referral.notes.render import file_name, to_pdf
from referral.terms import ReferralKind
from screening.core.paper import Printer
from tests.referral.note_examples import LONGEST, SEEN, UNSEEN

RARE = "王䶮𬍡㛃彧玥〇"
MARGIN_MM = 6  # an office printer reaches all but 4 to 5 mm


@pytest.fixture(scope="module")
def printer():
    with Printer() as one:
        yield one


@pytest.fixture(scope="module")
def notes(printer):
    return {name: to_pdf(printer, compose(inputs)) for name, inputs in EXAMPLES.items()}


EXAMPLES = {"unseen": UNSEEN, "seen": SEEN, "longest": LONGEST}


def raw_text(pdf):
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def text_of(pdf):
    """All text of the sheet in the order it is drawn, without blanks."""
    return re.sub(r"\s", "", raw_text(pdf))


def out_note(pdf):
    """The text of part 2."""
    return text_of(pdf).split("双向转介单·转出单")[1].split("双向转介单·回转单")[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_note_is_one_a4_page_in_three_parts(notes, name):
    made = notes[name]
    page = pypdf.PdfReader(io.BytesIO(made.pdf)).pages[0]
    assert made.pages == 1
    assert made.missing_glyphs == ()
    assert [round(float(side) / 72 * 25.4) for side in page.mediabox[2:]] == [210, 297]
    text = text_of(made.pdf)
    parts = [text.index(f"双向转介单·{part}(") for part in ("存根", "转出单", "回转单")]
    assert parts == sorted(parts)
    assert text.count("沿此线裁开") == 2
    assert text.count("内部资料注意保密编号7KQ2M9XR4") == 3
    assert "第1页共1页" in text


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_stands_outside_the_print_area(notes, name, tmp_path):
    if not shutil.which("pdftoppm"):
        pytest.skip("poppler-utils is not installed")
    (tmp_path / "note.pdf").write_bytes(notes[name].pdf)
    command = ["pdftoppm", "-r", "72", "-gray", tmp_path / "note.pdf", tmp_path / "note"]
    subprocess.run(command, check=True)
    (picture,) = tmp_path.glob("*.pgm")
    _, size, _, pixels = picture.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    edge = round(MARGIN_MM / 25.4 * 72)
    rows = [pixels[at * width : (at + 1) * width] for at in range(height)]
    assert min(min(row[:edge] + row[-edge:]) for row in rows) == 255
    assert min(map(min, [*rows[:edge], *rows[-edge:]])) == 255
    assert min(map(min, rows)) < 128


def test_the_sentence_of_a_note_made_before_anybody_saw_the_child_is_there(notes):
    out = out_note(notes["unseen"].pdf)
    assert "本单由系统依据筛查结果自动生成，尚未面谈，不是诊断" in out
    assert "尚未当面询问" in out
    assert "本单由系统" not in text_of(notes["seen"].pdf)
    for value in ("PHQ-9", "2026年11月18日", "21", "10", "有效", "GAD-7", "13", "存疑", "筛查结果不等于诊断"):
        assert value in out


def test_a_note_that_nobody_wrote_never_says_that_nothing_was_found(notes):
    out = out_note(notes["unseen"].pdf)
    assert "未发现" not in out
    assert "无" not in out


def test_a_triage_request_says_so(printer):
    made = to_pdf(printer, compose(replace(UNSEEN, kind=ReferralKind.TRIAGE_REQUEST)))
    assert "请求分诊：本单由系统依据筛查结果自动生成，尚未面谈，不是诊断" in text_of(made.pdf)


def test_what_a_person_wrote_stands_on_the_out_note(notes):
    content, out = compose(SEEN), out_note(notes["seen"].pdf)
    for text in (
        content.out.observed,
        content.out.safety,
        content.out.done_so_far,
        content.out.known_medical,
    ):
        assert re.sub(r"\s", "", text) in out
    assert "√评估" in out
    assert "□诊疗建议" in out
    assert "√加急" in out


def test_long_texts_are_complete(notes):
    content, out = compose(LONGEST), out_note(notes["longest"].pdf)
    for text in (content.out.observed, content.out.done_so_far, content.out.question, content.out.safety):
        assert re.sub(r"\s", "", text) in out


def test_the_return_note_asks_everything_a_school_needs_back(notes):
    back = text_of(notes["unseen"].pdf).split("双向转介单·回转单")[1]
    for choices in (terms.Outcome, terms.RiskNow, terms.Attendance):
        for term in choices:
            assert f"□{term.zh}" in back
    for label in ("就诊日期", "处理结果", "评估结论", "目前风险", "需特别留意至", "临床印象", "检查结果", "治疗经过", "在校用药",
                  "上学建议", "对学校的建议", "对家庭的建议", "送诊的信号", "下次就诊", "联系人电话", "监护人同意交回", "医师签字",
                  "医疗机构(盖章)", "编号7KQ2M9XR4"):  # fmt: skip
        assert label in back
    assert "青石县第一中学" in back
    assert "李" not in back  # whoever finds the slip learns no name
    assert "√" not in back


def test_rare_names_are_printed_and_can_be_read_back(printer, tmp_path):
    made = to_pdf(printer, compose(replace(UNSEEN, child_name=RARE)))
    assert made.missing_glyphs == ()
    read = text_of(made.pdf)
    if shutil.which("pdftotext"):
        (tmp_path / "note.pdf").write_bytes(made.pdf)
        read = subprocess.check_output(["pdftotext", "-layout", tmp_path / "note.pdf", "-"]).decode()
    assert read.count(RARE) == 2


def test_a_name_the_font_lacks_is_framed_and_the_note_is_still_one_page(printer):
    made = to_pdf(printer, compose(replace(LONGEST, child_name="李\U0002ce24明")))
    assert made.missing_glyphs == ("\U0002ce24",)
    assert made.pages == 1
    assert text_of(made.pdf).count("李［U+2CE24］明") == 2


def test_the_same_note_is_the_same_file_in_another_process_and_says_nothing_about_its_making(notes):
    with Printer() as other:
        assert {name: to_pdf(other, compose(inputs)) for name, inputs in EXAMPLES.items()} == notes
    for made in notes.values():
        assert not pypdf.PdfReader(io.BytesIO(made.pdf)).metadata


def test_the_file_is_called_by_the_form_number():
    assert file_name(compose(SEEN)) == "7KQ2M9XR4.pdf"


ADDRESS = "https://xinqiao.example.gov.cn"
TOKEN, CODE = "0" * 13 + "7KQ2M9XR4ABCD", "7KQ2M9XR4T"


@pytest.fixture(scope="module")
def with_codes(printer):
    """The same notes once they have left: with the way to answer on part 2."""
    return {
        name: to_pdf(printer, replace(compose(inputs), reply_token=TOKEN, reply_code=CODE), base_url=ADDRESS)
        for name, inputs in {**EXAMPLES, "rare": replace(UNSEEN, child_name=RARE)}.items()
    }


def test_the_codes_stand_on_part_two_and_the_sheet_stays_one(with_codes):
    for name, made in with_codes.items():
        assert (made.pages, made.missing_glyphs) == (1, ()), name
        text, out = text_of(made.pdf), out_note(made.pdf)
        assert f"在{ADDRESS}/r填写编号和回复码" in out
        assert text.count("7KQ2M-9XR4T") == out.count("7KQ2M-9XR4T") == 1
        assert TOKEN not in text  # it stands in the QR only
    assert len(with_codes["unseen"].pdf) < 100_000
    assert len(with_codes["seen"].pdf) < 115_000
    assert text_of(with_codes["rare"].pdf).count(RARE) == 2


def test_the_same_codes_give_the_same_bytes_and_without_an_address_none_is_printed(
    printer, with_codes, notes
):
    left = replace(compose(UNSEEN), reply_token=TOKEN, reply_code=CODE)
    assert to_pdf(printer, left, base_url=ADDRESS) == with_codes["unseen"]
    assert to_pdf(printer, left) == notes["unseen"]
    assert to_pdf(printer, compose(UNSEEN), base_url=ADDRESS) == notes["unseen"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_printed_square_holds_the_address_of_the_reply_page_and_nothing_else(with_codes, name, tmp_path):
    """Module by module, as a camera would see the sheet: in the column at the right edge of part 2."""
    if not shutil.which("pdftoppm"):
        pytest.skip("poppler-utils is not installed")
    (tmp_path / "note.pdf").write_bytes(with_codes[name].pdf)
    subprocess.run(["pdftoppm", "-r", "300", "-gray", tmp_path / "note.pdf", tmp_path / "note"], check=True)
    (picture,) = tmp_path.glob("*.pgm")
    _, size, _, pixels = picture.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    dark = numpy.frombuffer(pixels, numpy.uint8).reshape(height, width) < 128
    wanted = numpy.array(
        [list(row) for row in segno.make(f"{ADDRESS}/r/{TOKEN}", error="m", boost_error=False).matrix], bool
    )
    assert stands_in(dark[:, round(width * 174 / 210) :], wanted, 22.0 if name == "longest" else 23.5)
    wanted[10, 10] ^= True
    assert not stands_in(dark[:, round(width * 174 / 210) :], wanted, 22.0 if name == "longest" else 23.5)


def stands_in(dark, wanted, side_mm: float) -> bool:
    """Whether these modules stand somewhere in the picture, at the size of a square with its quiet zone."""
    count = len(wanted)
    module = side_mm / 25.4 * 300 / (count + 8)
    centres = ((numpy.arange(count) + 0.5) * module).astype(int)
    last = dark.shape[0] - int(count * module) - 1
    for left in range(dark.shape[1] - int(count * module)):
        columns = dark[:, left + centres]
        # The first row of modules finds the few places worth a whole look.
        for top in numpy.flatnonzero((columns[:last] == wanted[0]).all(axis=1)):
            if (columns[top + centres] == wanted).all():
                return True
    return False


def test_a_note_is_small(notes):
    assert len(notes["unseen"].pdf) < 100_000
    assert len(notes["seen"].pdf) < 115_000


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_must_not_leave_is_not_on_the_sheet(notes, name):
    text = text_of(notes[name].pdf)
    assert not re.search(r"\d{17}[\dXx]|\d{15}", raw_text(notes[name].pdf))
    for word in (
        "留守",
        "困境",
        "低保",
        "孤儿",
        "学籍",
        "身份证",
        "概率",
        "%",
        "预警",
        "关注等级",
        "第9题",
        "http",
        "二维码",
    ):
        assert word not in text
    out = out_note(notes[name].pdf)
    assert EXAMPLES[name].address not in out
    assert EXAMPLES[name].file_no not in out


NEVER = (
    "抑郁症",
    "精神病",
    "患者",
    "病人",
    "有病",
    "心理疾病",
    "问题儿童",
    "异常学生",
    "高危",
    "差生",
    "单亲",
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_words_that_label_a_child_are_nowhere_on_the_sheet(notes, name):
    text = text_of(notes[name].pdf)
    for word in NEVER:
        assert word not in text
    assert not re.search("(?<!不是)(?<!不等于)诊断", text)


def test_the_template_escapes_everything():
    for path in Path(render.TEMPLATE).parent.iterdir():
        source = path.read_text(encoding="utf-8")
        for trick in (
            "|safe",
            "| safe",
            "autoescape",
            "Markup",
            "http",
            "<script",
            "style=",
            "@import",
            "url(",
        ):
            assert trick not in source


def test_a_text_beyond_its_limit_is_refused_by_the_check_and_still_printed_whole(printer):
    long = compose(replace(LONGEST, observed="早上起不来。" * 500))
    assert {problem.rule for problem in check(long)} == {"too_long"}
    made = to_pdf(printer, long)
    assert made.pages > 1
    assert text_of(made.pdf).count("早上起不来。") == 500 + sum(
        text.count("早上起不来。")
        for text in (long.out.safety, long.out.done_so_far, long.out.known_medical, long.out.question)
    )
