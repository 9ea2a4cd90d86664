"""One deploy as one page: no script, nothing from elsewhere. Text is set by a library that escapes it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from saltdeploy.lib.text import utc
from saltdeploy.protocol import host_lines
from saltdeploy.watch import sentences
from saltdeploy.watch.console.views.common import listed, mapping_of_lists, views
from saltdeploy.watch.pages.svg import picture
from saltdeploy.watch.pages.words import failed, heading, said, told
from saltdeploy.watch.text import clean, count, duration, hosts, moment, natural, short

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_MOST_LINES = 1000
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:1.5rem auto;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:1.8rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}
th{font-weight:600}th[scope=row]{width:11rem}td{overflow-wrap:anywhere}code,pre{font-family:ui-monospace,monospace}
pre{overflow-x:auto;white-space:pre-wrap}.word{font-weight:700}.figure{overflow-x:auto}
.CONVERGED{color:#2e7d32}.HELD,.ROLLED{color:#b26a00}.MIXED{color:#c62828}
@media(prefers-color-scheme:dark){.CONVERGED{color:#7bc67e}.HELD,.ROLLED{color:#ffb74d}.MIXED{color:#ff7b7b}}
"""


def page(view: dict[str, Any]) -> str:
    """The view ``show`` as a page."""
    html, body = _empty(heading(view))
    _head(body, view)
    SubElement(body, "h2").text = "Timeline"
    SubElement(body, "div", {"class": "figure"}).append(picture(view))
    _failures(body, view)
    _list(body, "Questions, pauses and stops", map(_marker, views(view.get("markers"))))
    _stages(body, view)
    _list(body, "Warnings", (clean(each, 2000) for each in listed(view.get("warnings"))))
    _hosts(body, view)
    _own_logs(body, view)
    return _written(html)


def text_page(title: str, text: str) -> str:
    """Any other result: its text, on a page."""
    html, body = _empty(title)
    SubElement(body, "pre").text = text
    return _written(html)


def _empty(title: str) -> tuple[Element, Element]:
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = title
    SubElement(head, "style").text = _STYLE
    body = SubElement(html, "body")
    SubElement(body, "h1").text = title
    return html, body


def _written(html: Element) -> str:
    return "<!doctype html>\n" + ElementTree.tostring(html, encoding="unicode", method="html") + "\n"


def _head(body: Element, view: dict[str, Any]) -> None:
    word = clean(view.get("outcome"), 32)
    if word:
        ended = SubElement(body, "p", {"class": f"word {word}"})
        ended.text = heading(view).rpartition(": ")[2]
    for key in ("cause", "next"):
        if text := clean(view.get(key), 2000):
            line = SubElement(body, "p")
            line.text = f"{'Why' if key == 'cause' else 'Next'}: "
            SubElement(line, "code" if key == "next" else "span").text = text
    begun, ended_at = moment(view.get("begun")), moment(view.get("ended"))
    took = duration(ended_at - begun) if begun and ended_at else "not ended"
    rows = [
        ("release", f"{clean(view.get('tag'), 200)} ({short(view.get('commit'))})"),
        ("with it", ", ".join(clean(each, 400) for each in listed(view.get("also")))),
        ("by", clean(view.get("user"), 64)),
        ("reason", clean(view.get("reason"))),
        ("begun", utc(begun) if begun else ""),
        ("took", took),
        ("left out by the limit", hosts(number) if (number := count(view.get("left_out"))) else ""),
        ("deploy", clean(view.get("deploy"), 64)),
    ]
    _table(body, (), [row for row in rows if row[1]])


def _failures(body: Element, view: dict[str, Any]) -> None:
    shown = mapping_of_lists(view.get("hosts"))
    rows = [
        (name, clean(span.get("stage"), 32), clean(span.get("cause"), 1000), clean(span.get("next"), 1000))
        for name in sorted(shown, key=natural)
        for span in shown[name]
        if span.get("status") not in (0, None)
    ]
    if rows:
        SubElement(body, "h2").text = "Failures"
        _table(body, ("host", "stage", "why", "next"), rows)
    checks = [
        (clean(each.get("name"), 64), clean(each.get("group"), 64), clean(each.get("verdict"), 64), clean(each.get("text"), 2000))
        for each in views(view.get("checks"))
    ]  # fmt: skip
    if checks:
        SubElement(body, "h2").text = "Checks that did not pass"
        _table(body, ("check", "group", "verdict", "text"), checks)


def _marker(marker: dict[str, Any]) -> str:
    at = moment(marker.get("begin"))
    return f"{utc(at) if at else '-'} {said(marker)}"


def _stages(body: Element, view: dict[str, Any]) -> None:
    rows = []
    for each in views(view.get("stages")):
        begin, end = moment(each.get("begin")), moment(each.get("end"))
        name = f"{clean(each.get('group'), 64)} {clean(each.get('stage'), 32)}".strip()
        took = duration(end - begin) if begin and end else "not ended"
        counts = [str(count(each.get(key))) for key in ("total", "ok", "failed")]
        rows.append((name, utc(begin) if begin else "-", took, *counts))
    if rows:
        SubElement(body, "h2").text = "Stages"
        _table(body, ("stage", "begun", "took", "hosts", "ok", "failed"), rows)


def _hosts(body: Element, view: dict[str, Any]) -> None:
    shown = mapping_of_lists(view.get("hosts"))
    names = sorted(shown, key=lambda name: (not failed(shown[name]), natural(name)))
    rows = [
        (name, "; ".join(told(name, span).removeprefix(f"{name}: ") for span in shown[name]))
        for name in names
    ]
    if rows:
        SubElement(body, "h2").text = "Hosts"
        _table(body, ("host", "what it did"), rows)


def _own_logs(body: Element, view: dict[str, Any]) -> None:
    """What stood in the hosts' own logs about the deploy."""
    shown = mapping_of_lists(view.get("hosts"))
    rows = []
    for name in sorted(shown, key=natural):
        for span in shown[name]:
            stage = clean(span.get("stage"), 32)
            if cut := count(span.get("lines_cut")):
                rows.append((name, stage, "", "", sentences.lines_cut(cut)))
            for line in host_lines.from_wire(span.get("lines")):
                level = logging.getLevelName(line.level)
                rows.append((name, stage, utc(line.created), level, clean(line.text, host_lines.LONGEST)))
    if rows:
        SubElement(body, "h2").text = "Lines of the hosts' own logs"
        _table(body, ("host", "stage", "its time", "level", "line"), rows[:_MOST_LINES])
        if len(rows) > _MOST_LINES:
            SubElement(body, "p").text = f"{len(rows) - _MOST_LINES} more lines are in deploy.log"


def _list(body: Element, title: str, lines: Iterable[str]) -> None:
    told_lines = list(lines)
    if told_lines:
        SubElement(body, "h2").text = title
        listed = SubElement(body, "ul")
        for line in told_lines:
            SubElement(listed, "li").text = line


def _table(body: Element, heading_cells: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = SubElement(body, "table")
    if heading_cells:
        row = SubElement(SubElement(table, "thead"), "tr")
        for cell in heading_cells:
            SubElement(row, "th", scope="col").text = cell
    inside = SubElement(table, "tbody")
    for cells in rows:
        row = SubElement(inside, "tr")
        for place, cell in enumerate(cells):
            is_head = not heading_cells and not place
            SubElement(row, "th" if is_head else "td", {"scope": "row"} if is_head else {}).text = cell
