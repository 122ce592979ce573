"""Charts as SVG, for pages and for papers: numbers and words in, a text out. No script, no colour that matters.

Lines differ by stroke and by a mark at their end, so that a chart reads the same on a black-and-white printer.
Every word is escaped here; the caller puts the text in as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10

DASHES = ("", "7 3", "2 2.5", "9 2.5 2 2.5", "1 3.5", "5 2 1 2 1 2", "12 4", "3 5", "14 2 2 2 2 2", "6 2 6 7")
INK, GREY, PALE = "#000", "#777", "#d4d4d4"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: its places, how it is drawn, and a short mark at its end."""

    x: Sequence[float]
    y: Sequence[float]
    mark: str = ""
    dash: str = ""
    width: float = 1.2


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, named; as per cent or as a plain number."""

    low: float
    high: float
    name: str
    percent: bool = True


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the plot lies on the sheet, in its own units, and how numbers become places."""

    x: Axis
    y: Axis
    left: float
    top: float
    width: float
    height: float

    def across(self, value: float) -> float:
        return self.left + (value - self.x.low) / (self.x.high - self.x.low) * self.width

    def down(self, value: float) -> float:
        return self.top + (self.y.high - value) / (self.y.high - self.y.low) * self.height


def calibration_chart(
    *,
    curve: Line,
    low: Sequence[float],
    high: Sequence[float],
    points: tuple[Sequence[float], Sequence[float]],
    histogram: tuple[Sequence[float], Sequence[float]] | None,
    top: float,
    across: str,
    up: str,
    title: str,
    with_it: str = "",
    without: str = "",
    size: float = 300.0,
) -> str:
    """What was found over what was said, with a band, bins, and how those with and without are spread."""
    below = 0.25 * size if histogram else 0.0
    frame = Frame(Axis(0.0, top, across), Axis(0.0, top, up), 46.0, 12.0, size, size)
    parts = [*_axes(frame, name_below=below)]
    parts.append(_polygon(frame, curve.x, low, high))
    parts.append(_line(frame, Line((0.0, top), (0.0, top), dash="4 3", width=0.8)))
    parts.append(_line(frame, curve))
    for x, y in zip(*points, strict=True):
        if x <= top and y <= top:
            parts.append(
                f'<circle cx="{frame.across(x):.1f}" cy="{frame.down(y):.1f}" r="2.6" fill="#fff" stroke="{INK}"/>'
            )
    if histogram:
        parts += _histogram(frame, histogram, frame.top + size + 20.0, below - 8.0, (with_it, without))
    return _sheet(size + (130.0 if histogram else 62.0), size + below + 52.0, parts, title)


def line_chart(
    lines: Sequence[Line], *, x: Axis, y: Axis, title: str, width: float = 430.0, height: float = 260.0
) -> str:
    """Some lines in one frame, each with its mark at its right end."""
    frame = Frame(x, y, 54.0, 12.0, width, height)
    parts = _axes(frame)
    if y.low < 0.0 < y.high:
        parts.append(_line(frame, Line((x.low, x.high), (0.0, 0.0), width=0.5)))
    parts += [_line(frame, _inside(line, y)) for line in lines]
    parts += _marks(frame, lines)
    return _sheet(width + 96.0, height + 52.0, parts, title)


def _inside(line: Line, y: Axis) -> Line:
    """The part of a line from its first to its last place inside the frame; the rest is cut at the edge."""
    kept = [(a, max(min(b, y.high), y.low)) for a, b in zip(line.x, line.y, strict=True)]
    outside = [place for place, b in enumerate(line.y) if b < y.low]
    if outside:
        kept = kept[: outside[0] + 1]
    return Line([a for a, _ in kept], [b for _, b in kept], line.mark, line.dash, line.width)


def _marks(frame: Frame, lines: Sequence[Line]) -> list[str]:
    """Marks at the ends of the lines, moved apart where they would lie upon each other."""
    edge = frame.left + frame.width - 1.0
    placed: list[str] = []
    ends: list[tuple[float, float, str]] = []
    for line in lines:
        drawn = _inside(line, frame.y)
        if not line.mark or not drawn.x:
            continue
        down, right = frame.down(drawn.y[-1]), frame.across(drawn.x[-1])
        if right < edge:
            placed.append(_text(right + 3.0, min(down, frame.top + frame.height - 4.0), line.mark))
        else:
            ends.append((down, right, line.mark))
    ends.sort()
    last = frame.top + frame.height - 2.0
    heights = []
    for place in range(len(ends) - 1, -1, -1):
        last = min(ends[place][0], last)
        heights.append(last)
        last -= 11.0
    for (down, right, mark), at in zip(ends, reversed(heights), strict=True):
        placed.append(
            f'<path d="M{right:.1f} {down:.1f}L{right + 6:.1f} {at:.1f}" stroke="{GREY}" stroke-width=".5" fill="none"/>'
            + _text(right + 8.0, at + 3.2, mark)
        )
    return placed


def _axes(frame: Frame, *, name_below: float = 0.0) -> list[str]:
    parts = [
        f'<rect x="{frame.left}" y="{frame.top}" width="{frame.width}" height="{frame.height}" fill="none" stroke="{INK}" stroke-width=".7"/>'
    ]
    bottom = frame.top + frame.height
    for value in ticks(frame.x):
        at = frame.across(value)
        parts.append(f'<path d="M{at:.1f} {bottom:.1f}v4" stroke="{INK}" stroke-width=".7"/>')
        parts.append(_text(at, bottom + 14.0, _number(value, frame.x), anchor="middle"))
    for value in ticks(frame.y):
        at = frame.down(value)
        parts.append(f'<path d="M{frame.left - 4:.1f} {at:.1f}h4" stroke="{INK}" stroke-width=".7"/>')
        parts.append(_text(frame.left - 6.0, at + 3.2, _number(value, frame.y), anchor="end"))
    parts.append(
        _text(
            frame.left + frame.width / 2.0,
            bottom + 30.0 + name_below,
            frame.x.name,
            anchor="middle",
            size=10.0,
        )
    )
    middle = frame.top + frame.height / 2.0
    parts.append(
        f'<g transform="rotate(-90 10 {middle:.1f})">{_text(10.0, middle, frame.y.name, anchor="middle", size=10.0)}</g>'
    )
    return parts


def ticks(axis: Axis) -> list[float]:
    """Four to eight round numbers along an axis."""
    span = axis.high - axis.low
    rough = span / 5.0
    power = 10.0 ** floor(log10(rough))
    step = next(each * power for each in (1.0, 2.0, 5.0, 10.0) if each * power >= rough * 0.999)
    first = -floor(-axis.low / step + 1e-9)
    return [
        round((first + place) * step, 10)
        for place in range(12)
        if (first + place) * step <= axis.high + 1e-9 * span
    ]


def _number(value: float, axis: Axis) -> str:
    if axis.percent:
        return f"{100.0 * value:.0f}%"
    return f"{value:.2f}"


def _histogram(
    frame: Frame,
    shares: tuple[Sequence[float], Sequence[float]],
    top: float,
    height: float,
    names: tuple[str, str],
) -> list[str]:
    """Bars up for those with the outcome, down for those without, each to its own scale."""
    middle = top + height / 2.0
    wide = frame.width / len(shares[0])
    parts = []
    for side, (bars, name) in enumerate(zip(shares, names, strict=True)):
        highest = max(bars) or 1.0
        for place, share in enumerate(bars):
            tall = share / highest * (height / 2.0 - 2.0)
            if tall < 0.05:
                continue
            at = middle - tall if side == 0 else middle
            parts.append(
                f'<rect x="{frame.left + place * wide + 0.6:.1f}" y="{at:.1f}" width="{wide - 1.2:.1f}" height="{tall:.1f}" '
                f'fill="{INK if side == 0 else PALE}" stroke="{INK}" stroke-width=".4"/>'
            )
        parts.append(_text(frame.left + frame.width + 5.0, middle + (-6.0 if side == 0 else 13.0), name))
    parts.append(f'<path d="M{frame.left} {middle:.1f}h{frame.width}" stroke="{INK}" stroke-width=".6"/>')
    return parts


def _polygon(frame: Frame, x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
    told = [(a, b, c) for a, b, c in zip(x, low, high, strict=True) if isfinite(b) and isfinite(c)]
    if len(told) < 2:
        return ""
    edge = frame.y.high
    places = [f"{frame.across(a):.1f},{frame.down(min(b, edge)):.1f}" for a, b, _ in told]
    places += [f"{frame.across(a):.1f},{frame.down(min(c, edge)):.1f}" for a, _, c in reversed(told)]
    return f'<polygon points="{" ".join(places)}" fill="{PALE}" stroke="none"/>'


def _line(frame: Frame, line: Line) -> str:
    places = " ".join(
        f"{frame.across(a):.1f},{frame.down(b):.1f}"
        for a, b in zip(line.x, line.y, strict=True)
        if isfinite(b) and b <= frame.y.high + 1e-9
    )
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    return f'<polyline points="{places}" fill="none" stroke="{INK}" stroke-width="{line.width}"{dash}/>'


def sample(dash: str, width: float) -> str:
    """A piece of a line for a legend."""
    stroke = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="34" height="8" viewBox="0 0 34 8" aria-hidden="true">'
        f'<path d="M1 4h32" stroke="{INK}" stroke-width="{width}"{stroke} fill="none"/></svg>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: float = 9.0) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'


def _sheet(width: float, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(title)}" font-family="Paper, sans-serif">{"".join(parts)}</svg>'
    )
