"""This project: ``salt-run deploy.sync``, with its defaults; the layout ``slots`` and one peer for each transport.

The same by the warm door is a peer as well: its column beside the first one is what the start of Salt costs.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.peers.peer import ATOMIC_REUSE, Peer
from bench.rig.fleet import fleet

REPO = "app"


class Ours(Peer):
    """Transport ``bundle``, the default."""

    name = "deploy"
    source = "docs/operations.md"
    programs = ("git",)
    way = ATOMIC_REUSE
    transport = "bundle"
    engines: tuple[str, ...] = ()

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        repo = {
            "location": str(Path("{{ srv }}", self.place.corner, "app")),
            "source": str(self.place.origin),
            "targets": "*",
            "targets_type": "glob",
            "transport": self.transport,
            "timeout": 7200,
        }
        engines = [{name: {}} for name in self.engines]
        with fleet(self.rig, {REPO: repo}, master={"engines": engines}) as self.fleet:
            yield

    def install(self, tag: str) -> None:
        self.upgrade(tag)

    def upgrade(self, tag: str) -> None:
        self._ask("deploy.sync", f"repo={REPO}", f"tag={tag}")

    def rollback(self, tag: str) -> None:
        self._ask("deploy.rollback", f"repo={REPO}", f"to={tag}")

    def ping(self) -> None:
        """One round of ``test.ping``, from prompt to prompt."""
        done = self.fleet.salt("*", "test.ping", "--out=json", "--static")
        if done.stdout.count("true") != len(self.rig.targets):
            raise SystemExit(f"not everybody answers a ping: {done.stdout}")

    def _ask(self, *words: str) -> None:
        done = self._command(*words, "--out=json")
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.fleet.salt_run(*words)


class Warm(Ours):
    """By the command ``saltdeploy`` and the engine ``deploy``."""

    name, engines = "deploy:warm", ("deploy",)
    source = "docs/warm-door.md"
    _is_cold = False

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            self.fleet.await_door()
            yield

    @contextlib.contextmanager
    def cold(self) -> Iterator[None]:
        """By ``salt-run`` meanwhile."""
        self._is_cold = True
        yield
        self._is_cold = False

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.fleet.salt_run(*words) if self._is_cold else self.fleet.saltdeploy(*words)


class Tar(Ours):
    """Transport ``tar``."""

    name, transport = "deploy:tar", "tar"


class Delta(Ours):
    """Transport ``delta``."""

    name, transport = "deploy:delta", "delta"
    programs = ("git", "zstd", "xdelta3")


PEERS = (Ours, Warm, Tar, Delta)
