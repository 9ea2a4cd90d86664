"""A fleet that is set up by hand, command by command: what a person types, and what a test leaves out of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.factories import Factories
from tests.integration.fleet import PATIENCE, Fleet
from tests.support.installed import copy_doors
from tests.support.repositories import Source, git, tree

RESTART = "systemctl restart salt-master"
_SETTLE = 30  # seconds; nothing is measured with it


@dataclass(frozen=True)
class Typed:
    """What became of a command line."""

    status: int
    said: str


class Setup:
    """A master whose files lie below a directory as they would below ``/``, and its minions.

    Args:
        directory: of the fleet; short.
        checkout: where the doors are copied from.
        is_installed: whether the master finds the doors from the start.
    """

    def __init__(
        self,
        factories: Factories,
        directory: Path,
        checkout: Path,
        hosts: tuple[str, ...],
        is_installed: bool = False,
        **master: Any,
    ) -> None:
        self.directory = directory
        self.checkout = checkout
        self.srv = directory / "srv"
        (self.srv / "pillar").mkdir(parents=True)
        if is_installed:
            copy_doors(checkout, self.srv / "salt")
        own = Factories.like(factories, root_dir=directory)
        settings = {
            "file_roots": {"base": [str(self.srv / "salt")]},
            "pillar_roots": {"base": [str(self.srv / "pillar")]},
            "fileserver_backend": ["roots"],
            "ext_pillar": [],
            **master,
        }
        self.fleet = Fleet(own, directory, hosts, master=settings, minion={})
        self.config = Path(self.fleet.opts["conf_file"]).parent
        self.included = self.config / "master.d"
        self.included.mkdir(exist_ok=True)
        self._programs = directory / "typed"
        self._programs.mkdir()
        for name in ("salt", "salt-run", "salt-key", "salt-call"):
            program = self._programs / name
            place = Path(sys.executable).with_name(name)
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {place} -c {self.config} "$@"\n')
            program.chmod(0o755)

    @contextmanager
    def running(self) -> Iterator[Setup]:
        with self.fleet.running():
            yield self

    def source(self, name: str, tag: str) -> Path:
        """A git repository with one release; "" for a repository without a tag."""
        place = self.srv / "repositories" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Source(place, tree(index="one\n"))
        if tag:
            git(place, "tag", tag, "v0^{}")
        git(place, "tag", "-d", "v0")
        return place

    # -- what a person types --------------------------------------------------------------------------------

    def type(self, line: str, **environment: str) -> Typed:
        """A command line, as a document or a program prints it; ``/srv`` is this master's own."""
        if line.startswith(RESTART):
            self.fleet.restart_master()
            self.fleet.all_connected()
            return Typed(0, "")
        path = f"{self._programs}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.checkout,
            env={**os.environ, "PATH": path, **environment},
            input="y\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return Typed(done.returncode, done.stdout)

    def mend(self, commands: str) -> None:
        """Every command of a line, one after the other; a sleep is not needed, since a restart here waits for all."""
        for command in commands.split(" && "):
            if not command.startswith("sleep "):
                done = self.type(command)
                assert done.status == 0, (command, done.said)

    def doctor(self, repo: str = "") -> dict[str, Any]:
        """What ``deploy.doctor`` finds; minions may still be reading their pillar anew."""
        return self.fleet.salt_run("deploy.doctor", repo=repo).data

    def is_well(self) -> bool:
        """Whether the doctor finds nothing, in the end."""
        end = time.monotonic() + _SETTLE
        while (found := self.doctor())["findings"]:
            if time.monotonic() > end:
                raise AssertionError(found["findings"])
        return True

    # -- what lies on the disks -----------------------------------------------------------------------------

    def extmods(self, host: str, kind: str) -> Path:
        """Where a minion keeps the doors of a kind that it was given by sync_all."""
        cache = self.fleet.hosts[host].record.parent
        return cache / "extmods" / kind
