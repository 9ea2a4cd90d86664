"""Transport ``rsync`` from each place that rsync can read: a daemon's module, a place below it, and a host by ssh."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.content.exports import Exports
from saltdeploy.lib.errors import Unavailable

from tests.support import remotes
from tests.support.repositories import FILE, Entry, Source
from tests.support.travels import Traveller, rsync_daemon

pytestmark = pytest.mark.component("rsync's daemon and ssh's")


@contextlib.contextmanager
def reached(way: str, exports: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ``rsync_url`` of a directory of exports, by one way."""
    exports.mkdir(parents=True)
    if way == "ssh":
        with remotes.sshd(exports.with_name("ssh")) as server:
            monkeypatch.setenv("PATH", f"{server.client()}:{os.environ['PATH']}")
            yield f"{server.name}:{exports}"
    elif way == "a module":
        with rsync_daemon(exports) as url:
            yield url
    else:
        with rsync_daemon(exports.parent) as url:
            yield f"{url}/{exports.name}"


def traveller(place: Path, source: Source, url: str, exports: Path) -> Traveller:
    made = Traveller(place / "host", source, "rsync", rsync_url=url)
    made.payloads.exports = Exports(exports)
    return made


@pytest.mark.parametrize("way", ["a module", "below a module", "ssh"])
def test_releases_come_and_go(way: str, odd: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exports = tmp_path / "served" / "exports"
    with reached(way, exports, monkeypatch) as url:
        target = traveller(tmp_path, odd, url, exports)
        for number in (0, 1, 2, 0):
            assert [result.error for result in target.travel(number)] == [None, None]
            assert target.shows(number)


@pytest.mark.parametrize("which", [{"key": "strange_key"}, {"hosts": "known_to_nobody"}], ids=["key", "host"])
def test_nobody_is_asked_for_a_password_or_whether_a_host_is_the_right_one(
    odd: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: dict[str, str]
) -> None:
    exports = tmp_path / "exports"
    with remotes.sshd(tmp_path / "ssh") as server:
        monkeypatch.setenv("PATH", f"{server.client(**which)}:{os.environ['PATH']}")
        target = traveller(tmp_path, odd, f"{server.name}:{exports}", exports)
        result = target.fetch(0)
    assert isinstance(result.error, Unavailable)
    assert "Permission denied" in result.error.cause or "verification failed" in result.error.cause
    assert f"{server.name}:{exports}" in result.error.cause
    assert not target.location.exists()


def test_a_cap_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, it never takes more than the cap, and a tenth."""
    source = Source(tmp_path / "source.git", {b"blob": Entry(FILE, os.urandom(1_000_000))})
    exports = tmp_path / "served" / "exports"
    with reached("a module", exports, monkeypatch) as url:
        target = traveller(tmp_path, source, url, exports)
        supply = dataclasses.replace(target.repo.delivery, rate=400_000)
        target.repo = dataclasses.replace(target.repo, delivery=supply)
        begin = time.monotonic()
        fetched = target.fetch(0)
        took = time.monotonic() - begin
    assert fetched.ok
    assert fetched.facts["bytes"] > 1_000_000
    assert fetched.facts["bytes"] / took < 440_000
