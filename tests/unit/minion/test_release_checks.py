"""A release that brings its own checks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.repositories import EXECUTABLE, FILE, Entry, Source, link
from tests.support.serving import ServingHost

pytestmark = pytest.mark.component("services and the checks that a release brings, in processes of their own")

SAY = b'#!/bin/sh\necho "$1 $(cat "$SCAP_FINAL_PATH/VERSION" 2>/dev/null || echo nothing)" >> "$2"\nexit "${3:-0}"\n'

Bring = Callable[..., ServingHost]


@pytest.fixture
def bring(tmp_path: Path) -> Iterator[Bring]:
    """A host whose releases v0, v1, ... have these checks.yaml."""
    ending = contextlib.ExitStack()

    def host(*files: bytes | Entry, **keys: Any) -> ServingHost:
        trees = []
        for number, each in enumerate(files):
            tree = {b"VERSION": Entry(FILE, b"v%d" % number), b"scap/scripts/say": Entry(EXECUTABLE, SAY)}
            if each != b"":
                tree[b"scap/checks.yaml"] = each if isinstance(each, Entry) else Entry(FILE, each)
            trees.append(tree)
        serving = ServingHost(tmp_path, Source(tmp_path / "source.git", *trees))
        serving.keys = keys
        ending.callback(serving.service.stop, "demo")
        return serving

    with ending:
        yield host


def says(name: str, place: str, host_log: Path, code: int = 0) -> bytes:
    return f"checks: {{{name}: {{type: script, {place}, command: 'say {name} {host_log} {code}'}}}}".encode()


REAL = """
checks:
  repool: {type: script, stage: restart_service, command: 'say repool LOG'}
  endpoints: {type: nrpe, stage: promote, command: endpoints, nrpe_dir: NRPE}
  restarting: {type: script, before: handle_service, command: 'say restarting LOG'}
  virtualenv: {type: command, stage: promote, command: 'sh -c "scap/scripts/say virtualenv LOG CODE"'}
  links: {type: script, before: promote, command: 'say links LOG'}
"""


@pytest.fixture
def nrpe(tmp_path: Path) -> Path:
    """Where nrpe's commands are: one tells what the daemon says."""
    place = tmp_path / "nrpe.d"
    place.mkdir()
    client = tmp_path / "ask"
    client.write_text('#!/bin/sh\necho "endpoints $(tail -n 1 "$1")" >> "$2"\n')
    client.chmod(0o755)
    generations, log = tmp_path / "generations", tmp_path / "log"
    (place / "x.cfg").write_text(f"command[endpoints]={client} {generations} {log}\n")
    return place


def real(place: Path, code: int = 0) -> bytes:
    """As people write them; ``virtualenv`` ends with this code."""
    said = REAL.replace("LOG", str(place / "log")).replace("NRPE", str(place / "nrpe.d"))
    return said.replace("CODE", str(code)).encode()


FORTH = ["virtualenv {}", "restarting {}", "restart demo {}", "endpoints {}", "repool {}"]


@pytest.mark.parametrize("layout", ["slots", "inplace"])
@pytest.mark.usefixtures("nrpe")
def test_F22_the_checks_of_a_release_run_where_scap_runs_them_and_none_asks_the_old_processes(
    bring: Bring, tmp_path: Path, layout: str
) -> None:
    host = bring(b"", real(tmp_path), real(tmp_path), layout=layout, service_name="demo")
    assert host.deploy(0).ok
    host.forget_log()
    assert host.fetch(1).ok
    assert host.log() == []
    assert host.checkout(1).ok
    assert host.log() == ["links v0", *(line.format("v1") for line in FORTH)]
    assert host.deploy(2).ok
    host.forget_log()
    assert host.rollback(1).ok
    assert host.log() == ["links v2", *(line.format("v1") for line in FORTH)]


@pytest.mark.parametrize("layout", ["slots", "inplace"])
@pytest.mark.usefixtures("nrpe")
def test_F22_what_fails_at_promote_keeps_the_service_from_a_restart_and_the_way_back_restarts_it(
    bring: Bring, tmp_path: Path, layout: str
) -> None:
    """On the way back as well: processes that ran while the files were others may have read some of those."""
    host = bring(b"", real(tmp_path), real(tmp_path, 3), layout=layout, service_name="demo")
    assert host.deploy(0).ok and host.deploy(1).ok
    pid = host.service.pid()
    host.forget_log()
    result = host.deploy(2)
    assert result.error is not None and "[after checkout]" in result.error.cause
    assert host.log() == ["links v1", "virtualenv v2"]
    assert (host.is_live(), host.service.pid(), host.service.loaded()[1:]) == ("v2", pid, ["v1"])
    assert host.status().holdings.unsettled

    host.forget_log()
    assert host.rollback(1).ok
    assert host.log() == ["links v2", *(line.format("v1") for line in FORTH)]
    assert (host.is_live(), host.service.loaded()[1:]) == ("v1", ["v1", "v1"])
    assert not host.status().holdings.unsettled


@pytest.mark.usefixtures("nrpe")
def test_F22_a_stage_that_was_done_is_not_done_again(bring: Bring, tmp_path: Path) -> None:
    host = bring(real(tmp_path, 3), service_name="demo")
    assert host.fetch(0, deploy="1" * 20).ok
    told = [str(host.checkout(0, deploy="1" * 20).error)]
    happened = host.log()
    told.append(str(host.checkout(0, deploy="1" * 20).error))
    assert "[after checkout]" in told[0] and told[0] == told[1]
    assert host.log() == happened == ["links nothing", "virtualenv v0"]


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
        (b"checks:\n  x: {command: a, stage: fetch}\n  x: {command: b, stage: fetch}\n", "scap/checks.yaml:checks:x", "lines 2 and 3"),
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
