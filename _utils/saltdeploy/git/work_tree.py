"""Where git has a work tree of somebody, and what is checked out there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from saltdeploy.git.command import run


def git_dir_at(place: Path) -> Path:
    """Where git has the repository at a path: of a bare one the path itself, of a work tree what all its work trees share.

    Raises:
        GitFailed: git finds none there; one further up is none there.
    """
    said = _ask_at(place, ["rev-parse", "--git-common-dir"]).stdout
    return place / os.fsdecode(said.removesuffix(b"\n"))


def checked_out(place: Path) -> str:
    """The commit that is checked out in the work tree at a path; "" for none."""
    said = _ask_at(place, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], check=False)
    return said.stdout.decode().strip()


def _ask_at(place: Path, arguments: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Let git look for a repository by itself, as its owner has made it. Only for what looks at no tree, and so runs nothing."""
    here = {"GIT_CEILING_DIRECTORIES": str(place.resolve().parent)}
    return run(["-C", str(place), *arguments], path=str(place), environment=here, **options)
