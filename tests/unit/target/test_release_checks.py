"""A release that brings its own checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.repositories import EXECUTABLE, FILE, Entry, Source, link
from tests.serving import ServingHost

SAY = b'#!/bin/sh\necho "$1 $(cat "$SCAP_FINAL_PATH/VERSION" 2>/dev/null || echo nothing)" >> "$2"\nexit "${3:-0}"\n'

Bring = Callable[..., ServingHost]


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """A host whose releases v0, v1, ... have these checks.yaml."""

    def host(*files: bytes | Entry, **keys: Any) -> ServingHost:
        trees = []
        for number, each in enumerate(files):
            tree = {b"VERSION": Entry(FILE, b"v%d" % number), b"scap/scripts/say": Entry(EXECUTABLE, SAY)}
            if each != b"":
                tree[b"scap/checks.yaml"] = each if isinstance(each, Entry) else Entry(FILE, each)
            trees.append(tree)
        serving = ServingHost(tmp_path, Source(tmp_path / "source.git", *trees))
        serving.keys = keys
        return serving

    return host


def says(name: str, place: str, host_log: Path, code: int = 0) -> bytes:
    return f"checks: {{{name}: {{type: script, {place}, command: 'say {name} {host_log} {code}'}}}}".encode()


@pytest.mark.parametrize("layout", ["slots", "inplace"])
def test_the_checks_of_a_release_run_at_their_places(bring: Bring, tmp_path: Path, layout: str) -> None:
    log = tmp_path / "log"
    text = b"checks:\n" + b"".join(
        f"  {name}: {{type: script, {place}, command: 'say {name} {log}'}}\n".encode()
        for name, place in [
            ("last", "stage: promote"),
            ("first", "before: promote"),
            ("new", "after: checkout"),
        ]
    )
    host = bring(b"", text, layout=layout)
    assert host.deploy(0).ok
    assert host.fetch(1).ok
    assert host.log() == []
    assert host.checkout(1).ok
    assert host.log() == ["first v0", "new v1", "last v1"]


def test_a_check_of_the_release_that_fails_fails_its_host(bring: Bring, tmp_path: Path) -> None:
    host = bring(b"", says("bad", "after: fetch", tmp_path / "log", 3))
    assert host.deploy(0).ok
    result = host.fetch(1)
    assert result.error is not None and result.error.kind == "check-failed"
    assert host.log() == ["bad v0"]


def test_who_goes_back_runs_the_checks_of_the_release_to_which_he_goes(bring: Bring, tmp_path: Path) -> None:
    log = tmp_path / "log"
    host = bring(says("old", "after: promote", log), says("new", "after: promote", log))
    assert host.deploy(0).ok and host.deploy(1).ok and host.rollback(0).ok
    assert [line.split()[0] for line in host.log()] == ["old", "new", "old"]


@pytest.mark.parametrize("layout", ["slots", "inplace"])
@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        (b"checks: [", "scap/checks.yaml", "cannot be read"),
        (b"checks: {x: {command: a, after: lunch}}", "scap/checks.yaml:checks:x:after", "must be one of"),
        (b"checks: {x: {command: a, after: fetch, shell: true}}", "scap/checks.yaml:checks:x:shell", "no shell"),
        (b"checks: {x: {type: port, port: 80, after: checkout}}", "scap/checks.yaml:x", "after: restart"),
        (b"checks: {mine: {command: a, after: fetch}}", "scap/checks.yaml:checks:mine", "of this name"),
        (b"# " + b"x" * 70_000, "scap/checks.yaml", "larger than"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_fails_the_fetch(
    bring: Bring, layout: str, text: bytes, path: str, why: str
) -> None:
    mine = {"mine": {"command": "true", "after": "restart"}}
    host = bring(b"", text, layout=layout, checks=mine)
    assert host.deploy(0).ok
    host.keys["service_port"] = 1
    result = host.fetch(1)
    assert result.error is not None
    assert (result.error.kind, result.error.path) == ("bad-checks", path)
    assert why in result.error.cause
    assert host.is_live() == "v0"


@pytest.mark.parametrize("path", [b"scap/checks.yaml", b"scap"])
def test_a_link_in_the_way_to_the_file_is_not_followed(tmp_path: Path, path: bytes) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "checks.yaml").write_text("checks: {}\n")
    target = elsewhere if path == b"scap" else elsewhere / "checks.yaml"
    trees = [{b"VERSION": Entry(FILE, b"v0")}, {path: link(str(target))}]
    host = ServingHost(tmp_path, Source(tmp_path / "source.git", *trees))
    assert host.deploy(0).ok
    result = host.fetch(1)
    assert result.error is not None and result.error.kind == "bad-checks"
    assert "not a plain file" in result.error.cause
