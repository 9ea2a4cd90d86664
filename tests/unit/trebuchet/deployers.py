"""People on a deployment server: a staging repository, and the command as it is installed, run as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
COMMAND = CHECKOUT / "bin" / "git-deploy"
REPO = "test/testrepo"


@dataclass(frozen=True)
class Typed:
    """What a command did: its exit code, what it printed, and what it told on stderr."""

    code: int
    printed: str
    told: str

    @property
    def first(self) -> str:
        """The first line that was told: Trigger's own sentence."""
        return self.told.partition("\n")[0]


class Deployer:
    """A person with a home of their own, in a staging repository that may be shared.

    Args:
        home: where their git configuration is.
        place: the staging repository; made if it is not there.
        settings: of their git, besides their name.
    """

    def __init__(self, name: str, home: Path, place: Path, **settings: str) -> None:
        home.mkdir()
        self.name = name
        self.place = place
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "TZ": "UTC",
            "COLUMNS": "100",
        }
        if not place.exists():
            subprocess.run(["git", "init", "--quiet", str(place)], check=True, env=self._environment)
        if name:
            self.git("config", "--global", "user.name", name)
            self.git("config", "--global", "user.email", f"{name}@example.org")
        for key, value in settings.items():
            self.git("config", "--global", f"deploy.{key.replace('_', '-')}", value)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.place), *words],
            check=True,
            capture_output=True,
            text=True,
            env=self._environment,
        )
        return done.stdout

    def finds(self, packages: Path) -> None:
        """From now on their Python finds these packages too."""
        self._environment["PYTHONPATH"] = str(packages)

    def at_home(self) -> dict[str, Any]:
        """Where a terminal of theirs runs, and with which variables."""
        return {"directory": self.place, "environment": self._environment}

    def deploys(self, *words: str, typing: str = "", umask: int = 0o022) -> Typed:
        """``git deploy <words>``."""
        done = subprocess.run(
            [sys.executable, str(COMMAND), *words],
            cwd=self.place,
            env=self._environment,
            input=typing,
            capture_output=True,
            text=True,
            umask=umask,
        )
        return Typed(done.returncode, done.stdout, done.stderr)

    def asks(self, program: str, *words: str) -> Typed:
        """One of the small programs beside it."""
        done = subprocess.run(
            [sys.executable, str(COMMAND.with_name(program)), *words],
            cwd=self.place,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        return Typed(done.returncode, done.stdout, done.stderr)

    def commits(self, text: str) -> str:
        """The commit that holds a file of this text."""
        (self.place / "index.html").write_text(f"{text}\n")
        self.git("add", "index.html")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD").strip()

    def tags(self) -> list[str]:
        return self.git("tag").split()

    @property
    def lock(self) -> Path:
        return self.place / ".git" / "deploy" / "lock"

    def deploy_file(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads((self.place / ".git" / "deploy" / "deploy").read_text())
        return said
