"""Events: tags and payloads are what others build upon, byte for byte; each is small, plain, and under its tag."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import DiskFull
from saltdeploy.protocol import events

from tests.unit.strategies import anything, hosts, jids

GOLDEN = Path(__file__).with_name("golden") / "events.jsonl"
OF = ("20261123101112000000", "mediawiki/slot0", 1795428672.5)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FULL = DiskFull(
    "7 bytes are needed and 3 are free", repo="mediawiki/slot0", host="web1", path="/srv", next="free 4"
)

EVENTS = [
    events.hello(*OF),
    events.preparing(
        *OF,
        action="sync",
        tag="release/2026-11-23/1",
        user="ann",
        step="waits",
        also=[{"repo": "l10n", "tag": "v7"}],
    ),
    events.started(
        *OF,
        tag="release/2026-11-23/1",
        commit=COMMIT,
        user="ann",
        hosts=2,
        action="sync",
        groups=["canary", "default"],
        left_out=1,
        reason="T123",
    ),
    events.planned(*OF, script={"action": "sync"}),
    events.asked(*OF, stage="checkout", wave=0, hosts=["web1"]),
    events.chosen(*OF, transport="tar", hosts=3, why="auto: tar, 8.0 MB (bundle 14.3 MB)"),
    events.resumed(*OF, user="bob", epoch=1795428700),
    events.aborted(*OF, user="bob", reason="stopped by bob: the canary burns"),
    events.question(*OF, key="q1", text="go on?", choices=["yes", "no"], default="no", until=1795432272.5),
    events.answered(*OF, key="q1", choice="yes", user="bob"),
    events.paused(*OF, wave=1, group="default", until=1795428972.5),
    events.pause_over(*OF, wave=1, seconds=300.0),
    events.check_finished(
        *OF, check="errors", stage="checkout", group="canary", verdict="fail", text="7 errors, 2 before"
    ),
    events.step_started(*OF, step="migrate", number=1, on="web1", undo=False),
    events.step_finished(
        *OF, step="migrate", number=1, on="web1", undo=False, state="failed", text="exit code 1"
    ),
    events.gate_finished(*OF, point="after wave", wave=0, ok=False, reason="check errors: fail"),
    events.warned(*OF, "web9: ignored an answer that it did not sign"),
    events.stage_started(*OF, stage="fetch", total=2, names=["web1", "web2"]),
    events.stage_progress(*OF, stage="fetch", total=4, ok=1, failed=1, in_flight=1),
    events.stage_progress(*OF, stage="checkout", group="canary", total=2, ok=1, failed=0, in_flight=1),
    events.stage_progress(*OF, stage="fetch", total=0, ok=0, failed=0, in_flight=0),
    events.stage_finished(*OF, stage="fetch", total=2, ok=1, failed=1),
    events.host_progress(*OF, host="web1", stage="fetch", phase="receive", done=1, total=3, unit="bytes"),
    events.host_progress(*OF, host="web1", stage="fetch", phase="unpack", done=7, total=0, unit="objects"),
    events.host_finished(
        *OF,
        host="web1",
        stage="fetch",
        status=0,
        error=None,
        facts={"bytes": 2300, "files": 20, "seconds": 0.25, "slot": "1", "moved_aside": "/srv/www.1"},
        live=COMMIT,
        live_tag="release/2026-11-22/1",
    ),
    events.host_finished(
        *OF,
        host="web1",
        stage="fetch",
        status=0,
        error=None,
        facts={
            "bytes": 2300,
            "source": "http://fan1.example.org:8010",
            "why": "same site, 0.4 ms",
            "left": "http://fan2.example.org:8010: took no connection",
        },
        live=COMMIT,
        live_tag="release/2026-11-22/1",
    ),
    events.host_finished(
        *OF,
        host="web1",
        stage="checkout",
        status=FULL.status,
        error=FULL,
        facts={},
        live="",
        live_tag="",
        switched=False,
    ),
    events.pinned(*OF, tag="release/2026-11-23/1", commit=COMMIT),
    events.finished(
        *OF, tag="release/2026-11-23/1", outcome="MIXED", ok=1, total=2, reason="web2 is away", next="wait"
    ),
]

BUILDERS = {
    name
    for name, each in inspect.getmembers(events, inspect.isfunction)
    if inspect.signature(each).return_annotation == "Event" and not name.startswith("_")
}

long = st.text(max_size=50).map(lambda text: text * 300) | st.sampled_from(
    ["🦊" * 9000, "\udcff" * 9000, "\0" * 9000]
)


def test_what_travels_is_what_travelled_before() -> None:
    """The golden file is the compatibility surface; WRITE_GOLDEN=1 in the environment writes it anew."""
    lines = [json.dumps({"tag": events.tag_of(event), "event": event}, sort_keys=True) for event in EVENTS]
    text = "\n".join([*lines, ""])
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_each_kind_of_event_is_in_the_golden_file() -> None:
    assert BUILDERS == {event["event"] for event in EVENTS}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_the_page_on_events_names_each_field(event: events.Event, checkout: Path) -> None:
    page = (checkout / "docs" / "events.md").read_text()
    for field in {*event, *event.get("error", {})}:
        spelled = field.replace(f"{event.get('stage')}_status", "<stage>_status")
        assert any(f"{before}{spelled}{after}" in page for before, after in ("``", "{,", " ,", " }")), field


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_a_tag_says_what_the_event_is_about(event: events.Event) -> None:
    assert events.split_tag(events.tag_of(event)) == (OF[0], event["event"], event.get("host", ""))


@given(deploy=jids, host=hosts)
def test_a_tag_comes_apart_as_it_was_put_together(deploy: str, host: str) -> None:
    event = events.host_progress(
        deploy, "demo", 1.0, host=host, stage="fetch", phase="write", done=0, total=0, unit="files"
    )
    assert events.split_tag(events.tag_of(event)) == (deploy, "host_progress", host)


@pytest.mark.parametrize(
    "tag",
    ["", "deploy", "deploy/1", "salt/job/1/ret/web1", "deploy/1/started/web1/more", "xdeploy/1/started"],
)
def test_other_tags_are_not_ours(tag: str) -> None:
    assert events.split_tag(tag) is None


def test_progress_has_the_field_names_that_users_of_scap_know() -> None:
    event = events.stage_progress(*OF, stage="fetch", total=10, ok=3, failed=1, in_flight=4)
    assert {
        name: value
        for name, value in event.items()
        if name.startswith(("tasks", "total", "progress", "name"))
    } == {
        "name": "fetch",
        "totalTasks": 10,
        "tasksInFlight": 4,
        "tasksFinishedOk": 3,
        "tasksFinishedFailed": 1,
        "tasksFinishedTotal": 4,
        "tasksPercentComplete": 40,
        "tasksRemaining": 2,
        "progressFinished": False,
    }


@given(text=long)
def test_an_event_is_plain_and_below_8_kilobytes_whatever_is_told(text: str) -> None:
    host = "é" * 127
    facts = dict.fromkeys(("moved_aside", "source", "why", "left", "slot"), text)
    error = DiskFull(text, repo="r" * 200, host=host, path=text, next=text)
    told = [
        events.warned(*OF, text),
        events.finished(*OF, tag="é" * 100, outcome="MIXED", ok=1, total=2, reason=text, next=text),
        *(
            events.host_finished(
                *OF, host=host, stage="rollback", status=140, error=failed, facts=facts, live="", live_tag=""
            )
            for failed in (error, None)
        ),
    ]
    for event in told:
        assert len(json.dumps(event)) < 8192
        assert msgpack.unpackb(msgpack.packb(event)) == event == json.loads(json.dumps(event))


def test_a_long_text_keeps_its_begin() -> None:
    assert events.warned(*OF, "x" * 9000)["text"].startswith("x" * 1000)


@given(value=anything)
def test_only_numbers_are_told_as_numbers(value: Any) -> None:
    event = events.host_finished(
        *OF, host="web1", stage="fetch", status=0, error=None, facts={"bytes": value}, live="", live_tag=""
    )
    json.dumps(event, allow_nan=False)
    msgpack.packb(event)


@given(done=st.integers(0, 1 << 60), total=st.integers(0, 1 << 60))
def test_a_host_is_never_more_than_done(done: int, total: int) -> None:
    event = events.host_progress(
        *OF, host="web1", stage="fetch", phase="receive", done=done, total=total, unit="bytes"
    )
    assert 0 <= event["percent"] <= 100
