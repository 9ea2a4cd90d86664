"""``require_terminal_multiplexer``: a deploy is begun on a real terminal, inside and outside of a real tmux."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.functional.test_exports import master
from tests.support.tmux import tmux

NEXT_STEP = "the master's event bus does not answer"  # which comes behind it, for no master runs


def wanting(checkout: Path, place: Path, wanted: str) -> Path:
    """A master whose pillar wants it."""
    found = master(checkout, place)
    (place / "pillar").mkdir()
    (place / "pillar" / "top.sls").write_text("base: {'*': [deploy]}\n")
    section = f"{{require_terminal_multiplexer: {wanted}}}"
    (place / "pillar" / "deploy.sls").write_text(f"deployment_config: {section}\nrepo_config: {{}}\n")
    config = json.loads((place / "master").read_text())
    (place / "master").write_text(json.dumps({**config, "pillar_roots": {"base": [str(place / "pillar")]}}))
    return found


def sync(place: Path, *more: str) -> list[str]:
    program = Path(sys.executable).with_name("salt-run")
    command = [sys.executable, str(program), "-c", str(place), "deploy.sync", "repo=nothing", "tag=v1"]
    return [*command, *more]


def shown_outside(command: list[str]) -> str:
    """What a command shows on a terminal below no tmux; it is nobody's child, for these tests may run in one."""
    ours, its = pty.openpty()
    hidden = ("TMUX", "STY")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    subprocess.run(
        ["setsid", "--fork", *command], stdin=its, stdout=its, stderr=its, env=environment, check=True
    )
    os.close(its)
    seen, end = "", time.monotonic() + 60
    while "Next: " not in seen:
        assert time.monotonic() < end, seen
        if select.select([ours], [], [], 1)[0]:
            seen += os.read(ours, 65_536).decode()
    os.close(ours)
    return seen


@pytest.mark.parametrize(
    ("wanted", "more", "comes", "does_not"),
    [
        ("true", (), "not-allowed", NEXT_STEP),
        ("warn", (), "Warning: this terminal is in no tmux", "not-allowed"),
        ("true", ("detach=True",), NEXT_STEP, "not-allowed"),
    ],
    ids=["refused", "warned", "detached"],
)
def test_outside_of_tmux_it_is_as_the_pillar_says(
    checkout: Path, tmp_path: Path, wanted: str, more: tuple[str, ...], comes: str, does_not: str
) -> None:
    shown = " ".join(shown_outside(sync(wanting(checkout, tmp_path / "m", wanted), *more)).split())
    assert comes in shown
    assert does_not not in shown


def test_inside_of_tmux_nothing_is_said_also_where_sudo_hides_it(checkout: Path, tmp_path: Path) -> None:
    place = wanting(checkout, tmp_path / "m", "true")
    with tmux(["env", "-u", "TMUX", *sync(place)], place, 200, 50) as window:
        assert "not-allowed" not in window.until(NEXT_STEP)
