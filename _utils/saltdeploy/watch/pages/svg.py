"""The timeline of a deploy as a picture: a row for each host, a bar for each stage. Text is set by a library that escapes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from saltdeploy.watch.console.views.common import mapping_of_lists, views
from saltdeploy.watch.pages.axis import TimeAxis
from saltdeploy.watch.pages.words import failed, heading, said, told
from saltdeploy.watch.text import clean, duration, hosts, moment, natural

MOST_ROWS = 500
_WIDTH, _LEFT, _RIGHT = 960, 180, 16  # pixels
_TOP, _ROW, _BAR = 64, 16, 11
_NARROWEST = 1.5
_LONGEST_NAME = 26  # characters
_SHOWN = ("fetch", "checkout", "rollback")

STYLE = """
.t{font:12px system-ui,sans-serif;fill:#222}.d{fill:#666}.row{fill:#f2f2f2}
.fetch{fill:#4c78a8}.checkout{fill:#54a24b}.rollback{fill:#e0a030}.other{fill:#888}
.failed{stroke:#b00020;stroke-width:2.5}.open{fill-opacity:.45}
.question{fill:#7b4ab8;fill-opacity:.18}.line{stroke:#7b4ab8;stroke-width:1.5}.cut{stroke:#999;stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){.t{fill:#eee}.d{fill:#aaa}.row{fill:#262626}.failed{stroke:#ff6b6b}}
"""


def picture(view: dict[str, Any]) -> Element:
    """The view ``show`` as an element ``svg``."""
    shown = mapping_of_lists(view.get("hosts"))
    axis = _axis(view, shown)
    names = rows(shown)
    height = _TOP + _ROW * max(1, len(names)) + 28
    svg = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width="100%",
        role="img",
    )
    SubElement(svg, "title").text = heading(view)
    SubElement(svg, "style").text = STYLE
    _legend(svg, view)
    for place, name in enumerate(names):
        _row(svg, _TOP + place * _ROW, name, shown[name], axis, moment(view.get("now")) or 0.0)
    _marks(svg, view, axis, height - 24)
    if len(shown) > len(names):
        more = f"and {hosts(len(shown) - len(names))} more, of which none failed"
        _text(svg, 0, height - 8, more, "t d")
    return svg


def file(view: dict[str, Any]) -> str:
    """The same as the text of a file."""
    return ElementTree.tostring(picture(view), encoding="unicode") + "\n"


def rows(shown: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The hosts that have a row: those that failed first where not all have one, in their own order then."""
    ranked = sorted(shown, key=lambda name: (not failed(shown[name]), natural(name)))
    return sorted(ranked[:MOST_ROWS], key=natural)


def _axis(view: dict[str, Any], shown: dict[str, list[dict[str, Any]]]) -> TimeAxis:
    now = moment(view.get("now")) or 0.0
    spans = [each for one in shown.values() for each in one] + views(view.get("stages"))
    return TimeAxis(
        (begin, moment(each.get("end")) or now) for each in spans if (begin := moment(each.get("begin")))
    )


def _x(axis: TimeAxis, at: float) -> float:
    return _LEFT + axis.place(at) * (_WIDTH - _LEFT - _RIGHT)


def _text(parent: Element, x: float, y: float, text: str, kind: str = "t") -> Element:
    made = SubElement(parent, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": kind})
    made.text = text
    return made


def _legend(svg: Element, view: dict[str, Any]) -> None:
    _text(svg, 0, 16, heading(view))
    x = float(_LEFT)
    for stage in _SHOWN:
        SubElement(svg, "rect", {"x": f"{x}", "y": "28", "width": "14", "height": "11", "class": stage})
        _text(svg, x + 18, 38, stage, "t d")
        x += 90
    SubElement(
        svg, "rect", {"x": f"{x}", "y": "28", "width": "14", "height": "11", "class": "checkout failed"}
    )
    _text(svg, x + 20, 38, "failed", "t d")
    if any(each.get("kind") == "question" for each in views(view.get("markers"))):
        SubElement(
            svg, "rect", {"x": f"{x + 80}", "y": "28", "width": "14", "height": "11", "class": "question"}
        )
        _text(svg, x + 98, 38, "waits for people", "t d")


def _row(svg: Element, y: float, name: str, spans: list[dict[str, Any]], axis: TimeAxis, now: float) -> None:
    row = SubElement(svg, "g")
    width = _WIDTH - _LEFT - _RIGHT
    SubElement(
        row, "rect", {"x": f"{_LEFT}", "y": f"{y}", "width": f"{width}", "height": f"{_BAR}", "class": "row"}
    )
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
    SubElement(_text(row, 0, y + 10, short), "title").text = name
    for span in spans:
        begin = moment(span.get("begin"))
        if begin is None:
            continue
        end = moment(span.get("end"))
        left, right = _x(axis, begin), _x(axis, end or now)
        place = {"x": f"{left:.2f}", "y": f"{y}", "height": f"{_BAR}"}
        wide = f"{max(_NARROWEST, right - left):.2f}"
        bar = SubElement(row, "rect", {**place, "width": wide, "class": " ".join(_kinds(span))})
        SubElement(bar, "title").text = told(name, span)


def _kinds(span: dict[str, Any]) -> Iterator[str]:
    stage = clean(span.get("stage"), 32)
    yield stage if stage in _SHOWN else "other"
    if span.get("status") is None:
        yield "open"
    elif span.get("status") != 0:
        yield "failed"


def _marks(svg: Element, view: dict[str, Any], axis: TimeAxis, bottom: float) -> None:
    for at, seconds in axis.cuts():
        x = f"{_LEFT + at * (_WIDTH - _LEFT - _RIGHT) + 4:.1f}"
        line = SubElement(
            svg, "line", {"x1": x, "x2": x, "y1": f"{_TOP - 6}", "y2": f"{bottom}", "class": "cut"}
        )
        SubElement(line, "title").text = f"{duration(seconds)} in which no host was at work, cut short here"
    for marker in views(view.get("markers")):
        begin = moment(marker.get("begin"))
        if begin is None:
            continue
        left, right = _x(axis, begin), _x(axis, moment(marker.get("end")) or begin)
        place = {"y": f"{_TOP - 10}", "height": f"{bottom - _TOP + 10}"}
        box = SubElement(
            svg,
            "rect",
            {"x": f"{left:.2f}", "width": f"{max(2.0, right - left):.2f}", "class": "question", **place},
        )
        SubElement(box, "title").text = said(marker)
