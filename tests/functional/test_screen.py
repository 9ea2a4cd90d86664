"""``salt-run deploy.watch`` on the whole screen of a real tmux. The deploy is this process: it holds the lock and tells."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from saltdeploy.lib import flock
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.protocol import events

from tests.functional.test_exports import master
from tests.support.tmux import tmux
from tests.unit.watch.conftest import golden
from tests.unit.watch.console.screen.looking import until
from tests.unit.watch.rollouts import canary_and_rollback
from tests.unit.watch.stories import DEPLOY, REPO, Step, Story

__all__ = ["golden"]


@pytest.fixture
def place(checkout: Path, tmp_path: Path) -> Path:
    return master(checkout, tmp_path / "m")


def watching(place: Path, *more: str) -> list[str]:
    program = Path(sys.executable).with_name("salt-run")
    return [sys.executable, str(program), "-c", str(place), "deploy.watch", f"id={DEPLOY}", *more]


def root(place: Path) -> Path:
    return place / "cache" / "deploy"


@contextlib.contextmanager
def deploying(place: Path, steps: list[Step]) -> Iterator[Callable[[events.Event], None]]:
    """A deploy that runs; to tell more of it."""
    with (
        flock.alone(root(place) / "lock" / REPO),
        Journals(root(place)).write(REPO, DEPLOY) as journal,
    ):
        behind = time.time() - 1795428672.0  # the story is of another day, and its clock would run from there

        def tell(event: events.Event) -> None:
            journal.append(_later(event, behind))

        for step in steps:
            if not isinstance(step, float):
                tell(step)
        yield tell


def _later(event: events.Event, seconds: float) -> events.Event:
    return {key: value + seconds if key in ("time", "until") else value for key, value in event.items()}


def told(signals: OperatorSignals, key: str = "") -> str:
    """What somebody has told the deploy, once it is there: an answer, or that it stops."""
    end = time.monotonic() + 60
    while True:
        found = signals.answered(key) if key else signals.aborted()
        if found is not None:
            return found.text
        assert time.monotonic() < end, "nothing was told"
        time.sleep(0.05)


def asked() -> list[Step]:
    return until(canary_and_rollback(), events.QUESTION)


def test_a_question_is_answered_and_the_end_stays_until_one_leaves(place: Path) -> None:
    with deploying(place, asked()) as tell, tmux(watching(place), place) as window:
        window.until("canary is done; go on with appservers?", " 1  yes", "Hosts 6")
        window.send("2", "Enter")
        assert told(OperatorSignals(root(place), REPO, DEPLOY), "q1") == "no"
        story = Story(6)
        tell(story.decided("no", "root"))
        tell(story.finished("HELD", 4, 6, "root said no", "look at the canaries"))
        seen = window.until("HELD", "Next: look at the canaries")
        assert seen.count("HELD") == 1
        window.send("q")
        seen = window.until("left with 1")
        assert seen.count("HELD") == 1  # as the result of the command
        assert "Hosts" not in seen


def test_a_deploy_is_aborted_with_a_reason(place: Path) -> None:
    with deploying(place, asked()) as tell, tmux(watching(place), place) as window:
        window.until("Hosts 6")
        window.send("a", "the login page", "Enter")
        assert told(OperatorSignals(root(place), REPO, DEPLOY)) == "the login page"
        tell(Story(6).aborted("root", "the login page"))
        window.until("No further host starts")
        window.send("q")
        window.until("is told to stop", "left with 1")


def test_ctrl_c_leaves_the_deploy_alone_and_gives_the_terminal_back(place: Path) -> None:
    with deploying(place, asked()), tmux(watching(place), place) as window:
        window.until("Hosts 6")
        window.send("C-c")
        window.until("runs on", "left with 1")
        assert OperatorSignals(root(place), REPO, DEPLOY).aborted() is None
        assert window.call("display-message", "-p", "-t", "a", "#{alternate_on} #{cursor_flag}") == "0 1\n"


def test_a_deploy_whose_process_dies_says_so_and_what_leads_on(place: Path) -> None:
    with deploying(place, asked()):
        pass
    with tmux(watching(place), place) as window:
        window.until("has died", "Next: salt-run deploy.sync repo=mediawiki")
        assert "abort" not in window.seen().splitlines()[-1]


def test_a_past_deploy_is_on_the_screen_as_the_golden_files_say_at_every_size(
    place: Path, golden: Callable[[str, str], None]
) -> None:
    with Journals(root(place)).write(REPO, DEPLOY) as journal:
        for event in canary_and_rollback():
            if not isinstance(event, float):
                journal.append(event)
    with tmux(watching(place), place, 200, 60) as window:
        window.until("ROLLED BACK 4/4", " q  leave")
        golden("tmux-rolled-back-200", window.seen())
        window.resize(80, 24)
        window.until("(duration:\n63m 57s)", " q  leave")
        golden("tmux-rolled-back-80", window.seen())
        window.send("Down", "Down", "Enter")
        window.until("Log of this host")


def test_a_thousand_hosts_are_one_screen(place: Path) -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    steps += [story.answered(host, bytes=1000) for host in story.names[:500]]
    steps += [story.working(host, "receive", 400, 1000) for host in story.names[500:]]
    with deploying(place, steps), tmux(watching(place), place) as window:
        window.until("1000 hosts", "of 1000", "40%")
        window.send("/", "web99*", "Enter")
        window.until("11 chosen", "web999")


@pytest.mark.parametrize("more", [("screen=False",), ()], ids=["bars", "pipe"])
def test_elsewhere_it_is_as_before(place: Path, more: tuple[str, ...]) -> None:
    with Journals(root(place)).write(REPO, DEPLOY) as journal:
        for event in canary_and_rollback():
            if not isinstance(event, float):
                journal.append(event)
    if more:
        with tmux(watching(place, *more), place, 120, 50) as window:
            seen = window.until("left with 1")
        assert seen.count("ROLLED BACK 4/4") == 1
        return
    done = subprocess.run(watching(place), capture_output=True, text=True, env={**os.environ}, timeout=120)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.endswith("ROLLED BACK 4/4\n")
