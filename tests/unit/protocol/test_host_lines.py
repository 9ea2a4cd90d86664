"""Lines of a host's own log: few and short whatever comes, and older peers do without them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib import errors
from saltdeploy.protocol import events, host_lines
from saltdeploy.protocol.host_lines import HostLine
from saltdeploy.protocol.result import Result, authentic

SECRET = "s" * 64
LINES = tuple(HostLine(1000.0 + number, 30, f"line {number}") for number in range(5))


def told(lines: tuple[HostLine, ...], cut: int = 0, error: errors.DeployError | None = None) -> events.Event:
    return events.host_finished(
        "d", "r", 1.0, host="web1", stage="fetch", status=0, error=error, facts={}, live="", live_tag="",
        lines=lines, lines_cut=cut,
    )  # fmt: skip


def test_they_travel_with_the_answer_and_under_its_signature() -> None:
    answer = Result("web1", "r", lines=LINES, lines_cut=7)
    wire = json.loads(json.dumps(answer.to_wire(SECRET)))
    again = authentic(wire, "web1", SECRET)
    assert (again.lines, again.lines_cut) == (LINES, 7)
    with pytest.raises(errors.Forged):
        authentic({**wire, "lines": [[1.0, 30, "forged"]]}, "web1", SECRET)


def test_an_answer_without_lines_is_as_it_always_was() -> None:
    wire = Result("web1", "r").to_wire()
    assert not {"lines", "lines_cut"} & wire.keys()
    assert not {"lines", "lines_cut"} & told(()).keys()
    assert Result.from_wire(wire).lines == ()


@pytest.mark.parametrize(
    "error", [None, errors.DeployError("\N{SNOWMAN}" * 9000, next="\N{SNOWMAN}" * 9000)], ids=["ok", "error"]
)
def test_an_event_stays_small_and_counts_what_it_leaves_out(error: errors.DeployError | None) -> None:
    long = tuple(HostLine(1e9, 40, "\N{SNOWMAN}" * host_lines.LONGEST) for _ in range(host_lines.MOST))
    event = told(long, 3, error)
    assert len(json.dumps(event)) < 8192
    assert event["lines_cut"] + len(event.get("lines", ())) == host_lines.MOST + 3


def test_the_newest_are_kept() -> None:
    many = tuple(HostLine(float(number), 20, f"line {number}") for number in range(50))
    assert [line[2] for line in told(many)["lines"]] == [f"line {number}" for number in range(30, 50)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each, max_size=4),
)


@given(JSON | st.lists(st.tuples(JSON, JSON, JSON) | JSON, max_size=40))
def test_whatever_a_host_sends_as_lines_they_are_few_and_short(sent: Any) -> None:
    answer = Result.from_wire({"status": 0, "host": "web1", "lines": sent, "lines_cut": sent})
    assert len(answer.lines) <= host_lines.MOST
    assert all(len(line.text) <= host_lines.LONGEST for line in answer.lines)
    json.dumps(told(answer.lines, answer.lines_cut), allow_nan=False)
