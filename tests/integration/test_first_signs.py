"""F14: from its first seconds on a deploy says something new at least every five, in a pipe and on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.repo import Repo, converged
from tests.integration.rollouts import GATE
from tests.integration.terminal import terminal

SLOW_GIT = """#!/bin/sh
case " $* " in *" pack-objects "*) sleep 12;; esac
exec {git} "$@"
"""


@pytest.fixture
def slow_packer(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a master whose git takes its time to pack."""
    git = shutil.which("git")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(SLOW_GIT.format(git=git))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    yield {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_F14_while_a_release_is_packed_each_five_seconds_bring_a_line_and_a_picture(
    repo: Repo, slow_packer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other: a first release, seen in a pipe, and the next one, seen on a terminal."""
    monkeypatch.setenv("PATH", slow_packer["PATH"])
    done = converged(repo.fleet.wait(repo.fleet.begin("deploy.sync", repo=repo.name, tag="v0")))
    seconds = [int(each) for each in re.findall(r"preparing.*, (\d+) s$", done.told, re.M)]
    assert seconds[0] <= 6
    assert max(after - before for before, after in zip(seconds, seconds[1:], strict=False)) <= 6, done.told
    assert seconds[-1] >= 10
    command = repo.fleet.command("deploy.sync", repo=repo.name, tag="v1")
    with terminal([word for word in command if word != "--out=json"], kind="xterm-256color") as person:
        assert person.end() == 0, person.seen
    shown = re.findall(r"preparing.*?(\d\d:\d\d)", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", person.seen))
    assert len(set(shown)) >= 10, person.seen[-3000:]


@pytest.mark.repo(checks={"gate": {**GATE, "after": "checkout"}})
def test_F14_what_a_host_runs_is_seen_by_name_while_it_runs(repo: Repo) -> None:
    with repo.held("web1"):
        process = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v0")
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        assert any("waits for web1 (runs check gate, 00:0" in line for line in said)
    converged(repo.fleet.wait(process))
