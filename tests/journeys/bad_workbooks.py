"""Bad workbooks, made in memory: each wrong in its own way. What is said about each stands in ``bad_workbooks.yaml``.

Children of these files are made up by number. Those with the numbers 1 to 20 are on the roll of the school and
have consented, 30 is on it without consent, 31 has a sheet of this day, 40 is a child of another school.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from openpyxl import Workbook

from tests.screening.test_spreadsheets_refused import BAD as NOT_OPENED
from tests.screening.test_spreadsheets_refused import archive
from tests.screening.workbooks import HEADINGS, PHQ9, child, rewritten, roster_book, sheet, workbook

TODAY = date(2026, 10, 14)
ZEROS = (0,) * 9
URGENT = (*(0,) * 8, 3)
NEW = 50  # numbers from here on are known to nobody

Make = Callable[[], bytes]


def row(
    number: int, given: tuple[object, ...] = ZEROS, on: object = TODAY, name: str | None = None
) -> list[object]:
    """Answers of a child; with ``name`` under another name."""
    cells = sheet(number, given, on)
    return cells if name is None else [cells[0], name, *cells[2:]]


def answers(*rows: list[object], change: Callable[[Workbook], None] | None = None) -> bytes:
    return workbook({"phq9": [PHQ9, *rows]}, change)


def first(number: int, value: object) -> bytes:
    """The first answer of this child is something else; the ninth asks for a talk."""
    return answers(row(number, (value, *URGENT[1:])))


def roster(**fields: object) -> bytes:
    return roster_book(child(NEW, **fields))


def merged(area: str) -> Callable[[Workbook], None]:
    return lambda book: book.worksheets[0].merge_cells(area)


def counted_from_1904(book: Workbook) -> None:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book.epoch = CALENDAR_MAC_1904


def percent(book: Workbook) -> None:
    book["phq9"]["D2"].number_format = "0%"


def hidden_second(book: Workbook) -> None:
    book.create_sheet("旧名单").append(["学号", "姓名"])
    book["旧名单"].sheet_state = "hidden"


def styled(markup: bytes) -> Make:
    """The styles of the workbook come with a document type of their own."""
    part = "xl/styles.xml"
    return lambda: rewritten(
        roster_book(child(NEW)), {part: lambda old: old.replace(b"<styleSheet", markup + b"<styleSheet", 1)}
    )


def half_a_character() -> bytes:
    """One half of a pair of codes, which is no character."""
    return rewritten(
        roster_book(child(NEW)),
        {"xl/worksheets/sheet1.xml": lambda old: old.replace(b"&#24352;", b"&#xD800;")},
    )


BOMB_OF_ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
FILE_OF_THE_MACHINE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'

MAKE: dict[str, Make] = {
    # --- files that are not opened -------------------------------------------------------------------------
    **{name: (lambda data=data: data) for name, (data, _) in NOT_OPENED.items()},
    "a document": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "an open document": lambda: archive(
        {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<a/>"}
    ),
    "two hundred sheets": lambda: workbook({f"phq9 {n}": [PHQ9] for n in range(200)}),
    "an entity bomb among the styles": styled(BOMB_OF_ENTITIES),
    "a file of the machine among the styles": styled(FILE_OF_THE_MACHINE),
    "half a character": half_a_character,
    # --- sheets and headings -------------------------------------------------------------------------------
    "an instrument nobody knows": lambda: workbook({"phq99": [PHQ9, row(1)]}),
    "only the explanation": lambda: workbook({"说明": [["请先阅读"]]}),
    "neither roster nor answers": lambda: workbook({"Sheet1": []}),
    "the same sheet twice": lambda: workbook({"phq9": [PHQ9, row(1)], "PHQ9 ": [PHQ9, row(2)]}),
    "a hidden sheet nobody knows": lambda: answers(row(1), change=hidden_second),
    "no headings": lambda: workbook({"phq9": [row(1), row(2)]}),
    "headings and nothing else": lambda: workbook({"名册": [HEADINGS], "phq9": [PHQ9]}),
    "a missing item": lambda: workbook({"phq9": [PHQ9[:-2] + PHQ9[-1:], row(1, ZEROS[1:])]}),
    "a missing column of the roster": lambda: workbook(
        {"名册": [[h for h in HEADINGS if h != "出生日期"], ["20260050", "张甲", "男", "七年级", "3班"]]}
    ),
    "a double heading": lambda: workbook({"phq9": [[*PHQ9, "9"], row(1, (*ZEROS, 0))]}),
    "a wrong heading": lambda: workbook({"phq9": [[*PHQ9, "合计"], row(1, (*ZEROS, 3))]}),
    "a blank heading": lambda: workbook({"phq9": [[*PHQ9, None], row(1, (*ZEROS, 3))]}),
    "merged headings": lambda: workbook(
        {"phq9": [["学号", None, *PHQ9[2:]], row(1)]}, lambda book: book["phq9"].merge_cells("A1:B1")
    ),
    "merged rows": lambda: answers(row(1), row(2), change=merged("C2:C3")),
    # --- children ------------------------------------------------------------------------------------------
    "no sex": lambda: roster(性别=None),
    "a name of spaces": lambda: roster(姓名="　 "),
    "a name of sixty characters and more": lambda: roster(姓名="张" * 101),
    "a name that turns the writing": lambda: roster(姓名="张\u202e甲"),
    "a control character": lambda: roster(班级="3\t班\n乙"),
    "a sex nobody has heard of": lambda: roster(性别="未知"),
    "a number twice": lambda: roster_book(child(NEW), child(NEW)),
    "two children with one number": lambda: roster_book(child(NEW), child(NEW, 姓名="李乙")),
    "a rounded number": lambda: roster(证件类型="居民身份证", 证件号码=990101201202290000),
    "a number in powers of ten": lambda: roster(学号="2.026E+07"),
    "a number with decimals": lambda: roster(学号=20260050.5),
    "a number that became a day": lambda: roster(学号=date(2026, 1, 1)),
    "a number that is true": lambda: roster(学号=True),
    "a day in words": lambda: roster(出生日期="去年三月"),
    "a day that does not exist": lambda: roster(出生日期="2012-02-30"),
    "a year of two digits": lambda: roster(出生日期="12/3/4"),
    "born tomorrow": lambda: roster(出生日期=date(2026, 10, 15)),
    "born before the war": lambda: roster(出生日期=date(1935, 1, 1)),
    "a grade nobody knows": lambda: roster(年级="先锋班"),
    "a paper nobody knows": lambda: roster(证件类型="学生证", 证件号码="1"),
    "an identity number that is too short": lambda: roster(证件类型="居民身份证", 证件号码="9901012012022"),
    "an identity number with letters": lambda: roster(证件类型="居民身份证", 证件号码="99010120120229A012"),
    "a number without its paper": lambda: roster(证件号码="E1234567"),
    "a number and no paper": lambda: roster(证件类型="无证件", 证件号码="E1234567"),
    "a consent of maybe": lambda: roster(筛查同意="看情况", 同意日期=date(2026, 9, 20)),
    "a consent of next week": lambda: roster(筛查同意="是", 同意日期=date(2026, 10, 20)),
    "a consent without its day": lambda: roster(筛查同意="是"),
    "a formula for a name": lambda: roster(姓名='=CONCAT("张","甲")'),
    "a missing value for a class": lambda: roster(班级="#N/A"),
    "a number of somebody else": lambda: roster_book(child(1, 姓名="李乙")),
    # --- answers -------------------------------------------------------------------------------------------
    "an answer out of range": lambda: first(1, 4),
    "a negative answer": lambda: first(2, -1),
    "half an answer": lambda: first(3, 1.5),
    "a word for an answer": lambda: first(4, "经常"),
    "a letter for a number": lambda: first(5, "O"),
    "an answer in percent": lambda: answers(row(6, (0.5, *URGENT[1:])), change=percent),
    "an answer that is a formula": lambda: first(7, "=1+1"),
    "an answer that is an error": lambda: first(8, "#N/A"),
    "an answer that is a day": lambda: first(9, date(2026, 1, 2)),
    "an answer with a note": lambda: first(10, "2 (问过本人)"),
    "no day": lambda: answers(row(11, URGENT, None)),
    "a day that has not come": lambda: answers(row(12, URGENT, date(2026, 10, 15))),
    "a day of the last century": lambda: answers(row(13, URGENT, date(1999, 12, 31))),
    "a day without its year": lambda: answers(row(14, URGENT, "10月12日")),
    "days of two calendars": lambda: answers(row(15, URGENT, 46300), change=counted_from_1904),
    "the same row twice": lambda: answers(row(16), row(16)),
    "another name than in the roster": lambda: workbook(
        {
            "名册": [HEADINGS, child(NEW, 筛查同意="是", 同意日期=date(2026, 9, 1))],
            "phq9": [PHQ9, row(NEW, name="王丙")],
        }
    ),
    "another name than on the roll": lambda: answers(row(17, URGENT, name="李乙")),
    "a child nobody knows": lambda: answers(row(NEW, URGENT)),
    "a child of another school": lambda: answers(row(40, URGENT)),
    "a child without consent": lambda: answers(row(30, URGENT)),
    "a sheet that is stored": lambda: answers(row(31)),
    "a questionnaire that is not asked": lambda: workbook(
        {"gad7": [["学号", "姓名", "施测日期", *range(1, 8)], row(18, (0,) * 7)]}
    ),
    "a column in another coding": lambda: answers(*(row(n, (9, *ZEROS[1:])) for n in range(1, 13))),
    "a school in danger": lambda: answers(*(row(n, URGENT) for n in range(1, 13)), row(1, name="李乙")),
}
