"""Charts: well-formed, everything inside the sheet, words escaped, nothing that only colour tells."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

from screening.core.charts import DASHES, Axis, Line, calibration_chart, line_chart, sample, ticks

NAN = float("nan")
SVG = "{http://www.w3.org/2000/svg}"


def calibration(**other: object) -> str:
    values = {
        "curve": Line((0.1, 0.3, 0.5), (0.1, 0.2, 0.9)),
        "low": (0.05, 0.1, NAN),
        "high": (0.2, 0.4, NAN),
        "points": ((0.1, 0.4), (0.1, 2.0)),
        "histogram": ((0.5, 0.5, 0.0), (0.9, 0.1, 0.0)),
        "top": 0.6,
        "across": "said <b>",
        "up": "found",
        "title": 'a "title"',
    }
    return calibration_chart(**(values | other))  # type: ignore[arg-type]


def decision() -> str:
    x = (0.05, 0.15, 0.30)
    lines = [Line(x, (0.05 - 0.001 * n, 0.03, 0.01 - 0.0001 * n), str(n), DASHES[n]) for n in range(6)]
    lines.append(Line(x, (0.04, -0.5, -2.0), "A", DASHES[6]))
    return line_chart(lines, x=Axis(0.05, 0.3, "threshold"), y=Axis(-0.01, 0.06, "benefit", False), title="d")


def test_charts_are_well_formed_and_words_are_escaped() -> None:
    for text in (calibration(), calibration(histogram=None), decision(), sample(DASHES[1], 1.0)):
        root = ET.fromstring(text)
        assert root.tag == f"{SVG}svg"
        assert "nan" not in text
    assert "said &lt;b&gt;" in calibration()
    assert "<b>" not in calibration()


def test_nothing_lies_outside_the_sheet() -> None:
    for text in (calibration(), decision()):
        root = ET.fromstring(text)
        wide, tall = float(root.attrib["width"]), float(root.attrib["height"])
        places = [(float(t.attrib["x"]), float(t.attrib["y"])) for t in root.iter(f"{SVG}text")]
        for line in [*root.iter(f"{SVG}polyline"), *root.iter(f"{SVG}polygon")]:
            numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", line.attrib["points"])]
            places += list(zip(numbers[::2], numbers[1::2], strict=True))
        assert all(0 <= x <= wide and 0 <= y <= tall for x, y in places)


def test_marks_at_the_ends_do_not_lie_upon_each_other() -> None:
    root = ET.fromstring(decision())
    marks = [t for t in root.iter(f"{SVG}text") if (t.text or "") in set("012345")]
    heights = sorted(float(t.attrib["y"]) for t in marks)
    assert len(heights) == 6
    assert all(second - first > 9 for first, second in pairwise(heights))


def test_lines_differ_without_colour() -> None:
    assert len(set(DASHES)) == len(DASHES)
    colours = set(re.findall(r'(?:stroke|fill)="(#[0-9a-f]+)"', calibration() + decision()))
    assert all(len({*colour[1:]}) == 1 or colour[1:3] == colour[3:5] == colour[5:7] for colour in colours)


def test_ticks_are_round_and_inside() -> None:
    assert ticks(Axis(0.0, 0.6, "")) == [0.0, 0.2, 0.4, 0.6]
    assert ticks(Axis(-0.007, 0.07, "")) == [0.0, 0.02, 0.04, 0.06]
    for high in (0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.0):
        assert 4 <= len(ticks(Axis(0.0, high, ""))) <= 8
