"""What a peer is asked to do, and what it finds when it is asked."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rig import Rig
from bench.rig.host import Host

#: How many releases stay on a target, for tools that keep a directory for each: the live one and the one before.
KEPT = 2
IN_PLACE, NEW_DIRECTORY, ATOMIC_REUSE = "in place", "new directory", "reuse, one rename"


@dataclass(frozen=True)
class Place:
    """Where a peer works.

    Attributes:
        rig: the hosts.
        origin: the bare repository on the hub; it holds a release only once that is published.
        staging: a work tree of the newest published release on the hub, without ``.git``.
        work: a directory on the hub for the peer's own things.
        corner: a directory below each target's ``/srv``, where several peers share a rig; "" for all of it.
    """

    rig: Rig
    origin: Path
    staging: Path
    work: Path
    corner: str = ""


class Peer:
    """A tool that brings releases to targets. A subclass fills in what is not implemented here.

    Attributes:
        name: as one types it, and in tables.
        source: where its documentation says that it should be used like this.
        way: :data:`IN_PLACE`, :data:`NEW_DIRECTORY` or :data:`ATOMIC_REUSE`.
        programs: that must be there.
        apart: whether it needs hosts with a ``/srv`` of their own.
        adds: files of its own that it puts into a release.
    """

    name = ""
    source = ""
    way = IN_PLACE
    programs: tuple[str, ...] = ()
    apart = False
    adds: tuple[bytes, ...] = ()

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be measured on this machine; empty if it can."""
        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        lacking = [each for each in cls.programs if shutil.which(each, path=path) is None]
        return f"no {', '.join(lacking)} on this machine" if lacking else ""

    def __init__(self, place: Place) -> None:
        self.place, self.rig, self.hub = place, place.rig, place.rig.hub

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Have the daemons that it needs running. Not measured."""
        yield

    def publish(self, tag: str) -> None:
        """Take a release up on the hub where that is not part of a deploy. Not measured."""

    def install(self, tag: str) -> None:
        """Bring a release to targets that have none."""
        raise NotImplementedError

    def upgrade(self, tag: str) -> None:
        """Bring the newest published release to all targets; the same again if they have it."""
        raise NotImplementedError

    def rollback(self, tag: str) -> None:
        """Go back to the release before, which is ``tag``."""
        raise NotImplementedError

    def live(self, host: Host) -> Path:
        """Where the live tree of a target lies, as its own processes call it."""
        return self.srv(host) / "app"

    def srv(self, host: Host) -> Path:
        """The directory on a target that is the peer's, as the target's own processes call it."""
        return host.srv / self.place.corner

    # -- for subclasses -------------------------------------------------------------------------------------

    def on_hub(self, *words: object) -> None:
        """Run a command on the hub; its output is shown when it fails."""
        done = subprocess.run(
            self.hub.command(words),
            cwd=self.place.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            command = shlex.join(map(str, words))
            raise SystemExit(f"{self.name}: {command} exited with {done.returncode}:\n{done.stdout[-3000:]}")

    def everywhere(self, script: str) -> None:
        """The shell loop: run a script on the hub for all targets at once, in each with ``$h``, ``$srv`` and ``$a`` (the address) set.

        A target that fails makes the loop fail.
        """
        hosts = "\n".join(f"{host.name} {self.srv(host)} {host.address}" for host in self.rig.targets)
        (self.place.work / "hosts").write_text(hosts + "\n")
        each = f'set -e; h="$1"; srv="$2"; a="$3"\n{script}'
        loop = ["xargs", "-a", self.place.work / "hosts", "-P", len(self.rig.targets), "-L", "1"]
        self.on_hub(*loop, "sh", "-c", each, "sh")
