"""Check ``exists``: the release has a file."""

from __future__ import annotations

import shlex
from pathlib import Path

from saltdeploy.checks.base import FAIL, PASS, CheckContext, Verdict
from saltdeploy.config.rollout import Check


def exists(check: Check, place: CheckContext) -> Verdict:
    """Whether there is a file at ``path``, in the release's directory."""
    path = _path(check, place)
    return Verdict(
        PASS if path.is_file() else FAIL, f"{path.stat().st_size} bytes" if path.is_file() else f"no {path}"
    )


def exists_by_hand(check: Check, place: CheckContext) -> str:
    """The same with ls."""
    return shlex.join(["ls", "-l", "--", str(_path(check, place))])


def _path(check: Check, place: CheckContext) -> Path:
    return Path(place.directory or "/", check.option("path"))
