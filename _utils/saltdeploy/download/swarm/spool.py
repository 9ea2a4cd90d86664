"""Where jobs of a host tell its seeder what they want, and the seeder tells how far it is.

The seeder (:mod:`saltdeploy.download.swarm.seeder`) is a process of its own: a job ends when its payload has come, and others still
want pieces then. They speak through files, so that each may die at any moment: a wish is a file that a job writes, and
the seeder looks at all of them several times a second. A wish has an end, and without wishes the seeder ends by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.lib import disk, flock
from saltdeploy.lib import process as processes
from saltdeploy.lib.errors import Corrupt, Unavailable

#: Seconds that a seeder waits for wishes.
IDLE = 60.0
_PATIENCE = 20.0  # seconds to start: the interpreter, the library, and a port
_LOOK_EVERY = 0.1  # seconds
_TLS = ("certificate", "key")
_PACKAGES = Path(__file__).resolve().parents[3]

Address = tuple[str, int]


@dataclass(frozen=True)
class Listen:
    """Where a seeder listens.

    Attributes:
        address: one of the host's, or ``0.0.0.0``.
        ports: the first and the last one of a range; the first that is free is taken.
    """

    address: str
    ports: tuple[int, int]


@dataclass(frozen=True)
class SeedRequest:
    """A payload that a host wants, and will give to others.

    Attributes:
        owner: on whose behalf: the name of a repo.
        torrent: see :mod:`saltdeploy.download.swarm.torrent`; hexadecimal.
        certificate, key: PEM; what this host shows its peers.
        size: of the payload, in bytes.
        until: when it is over, in seconds since the epoch.
        first, later: peers to dial: at once, and when no more comes from those.
        download, upload: bytes per second at most; 0: as many as there are.
        seeds: a directory that has the payload already, and where nothing is written; "" for whoever wants it.
    """

    owner: str
    torrent: str
    certificate: str
    key: str
    size: int
    until: float
    first: tuple[Address, ...] = ()
    later: tuple[Address, ...] = ()
    download: int = 0
    upload: int = 0
    seeds: str = ""


@dataclass(frozen=True)
class SeedState:
    """How far a wish is.

    Attributes:
        done: bytes of the payload that are here and right.
        whole: it is here, and on the disk.
        error: why it goes no further.
        full: that is because our own disk is full.
        peers: connections at the moment.
        sources: address to the bytes that came from there; they are counted now and then, and so they are about right.
    """

    done: int = 0
    whole: bool = False
    error: str = ""
    full: bool = False
    peers: int = 0
    sources: dict[str, int] = field(default_factory=dict)


class Spool:
    """The directory of one seeder. Only its owner may look into it: it holds a key."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "seeder.log"
        self._wishes = directory / "wishes"
        self._lock = directory / "lock"
        self._state = directory / "state.json"

    # -- jobs -------------------------------------------------------------------------------------------

    def wish(self, name: str, wish: SeedRequest) -> None:
        """Want a payload, or say anew how; ``name`` is its sha256."""
        self.open()
        path = self._wishes / f"{name}.json"
        disk.clear_asides(path)
        disk.write_json(path, asdict(wish), mode=0o600)

    def withdraw(self, name: str) -> None:
        """Want a payload no more; the seeder deletes what it has of it."""
        (self._wishes / f"{name}.json").unlink(missing_ok=True)
        self.tidy()

    def withdraw_of(self, owner: str) -> None:
        """The same for all that was wanted on behalf of one."""
        for name, wish in self.wishes().items():
            if wish.owner == owner:
                self.withdraw(name)

    def is_wanted(self, name: str) -> bool:
        """Whether the wish still stands: it may have been withdrawn on behalf of another repo."""
        return (self._wishes / f"{name}.json").exists()

    def tidy(self) -> None:
        """Delete what a seeder has left that was killed, as far as nobody wants it."""
        if not self._lock.exists():
            return
        with self.alone() as free:
            if free:
                self.forget_others(self.wishes())

    def port(self, listen: Listen, process: subprocess.Popen[bytes] | None = None) -> int:
        """Let a seeder run, and return where it listens.

        Args:
            process: it was started already.

        Raises:
            Unavailable: there is none, and its log may say why.
        """
        self.open()
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if (port := self._port()) and not self.is_free():
                return port
            if process is None and self.is_free():
                process = self.start(listen)
            if process is not None and process.poll() is not None and self.is_free():
                break
            time.sleep(_LOOK_EVERY)
        raise Unavailable(f"no seeder runs: {self._last_words()}", path=str(self.log))

    def start(self, listen: Listen, *, owned: bool = False) -> subprocess.Popen[bytes]:
        """Start a seeder, which outlives us.

        Args:
            owned: it ends when the pipe that is its standard input does, and so with us at the latest.
        """
        self.open()
        if self.is_free():
            self._state.unlink(missing_ok=True)  # of one that was killed
        command = [
            sys.executable,
            "-m",
            "saltdeploy.download.swarm.seeder",
            str(self.directory),
            listen.address,
        ]
        command += [*map(str, listen.ports), *(["owned"] if owned else [])]
        paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(self.log, "wb") as log:
            return processes.start(
                command,
                stdin=subprocess.PIPE if owned else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                directory="/",
                environment={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )

    def state(self, name: str) -> SeedState:
        """How far a payload is."""
        found = self._read().get("payloads", {}).get(name)
        return SeedState(**found) if found else SeedState()

    # -- the seeder -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Let the directories be there."""
        for directory in (self.directory, self._wishes, self.data):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.chmod(0o700)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Be the only seeder here, or find that there is one (False)."""
        with flock.locked(self._lock, wait=False) as free:
            yield free

    def is_free(self) -> bool:
        """Whether no seeder runs. Whoever only looks is in nobody's way."""
        with open(self._lock, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def wishes(self) -> dict[str, SeedRequest]:
        """What is wanted now. A wish that is over or cannot be read is deleted."""
        found = {}
        for path in self._wishes.glob("*.json"):
            wish = self._wish(path)
            if wish is not None and wish.until > time.time():
                found[path.stem] = wish
            else:
                path.unlink(missing_ok=True)
        return found

    def tell(self, port: int, states: dict[str, SeedState]) -> None:
        """Say how far all is. It is worth nothing after the machine went down, so nothing waits for the disk."""
        told = {"pid": os.getpid(), "port": port, "payloads": {n: asdict(s) for n, s in states.items()}}
        aside = self._state.with_suffix(".new")
        aside.write_text(json.dumps(told))
        aside.replace(self._state)

    def tls(self, name: str, wish: SeedRequest) -> tuple[str, str]:
        """Files that hold the certificate of a wish and its key, until they are forgotten."""
        paths = tuple(self.directory / f"{name}.{kind}" for kind in _TLS)
        for path, text in zip(paths, (wish.certificate, wish.key), strict=True):
            disk.clear_asides(path)
            disk.write_atomically(path, text.encode(), mode=0o600)
        return str(paths[0]), str(paths[1])

    def forget_tls(self, name: str) -> None:
        """Delete those files."""
        for kind in _TLS:
            (self.directory / f"{name}.{kind}").unlink(missing_ok=True)

    def forget_others(self, wanted: dict[str, SeedRequest]) -> None:
        """Delete what is here of payloads that nobody wants."""
        if self.data.is_dir():
            for path in self.data.iterdir():
                if path.name not in wanted:
                    disk.remove_tree(path)
        for kind in _TLS:
            for path in self.directory.glob(f"*.{kind}"):
                if path.stem not in wanted:
                    path.unlink(missing_ok=True)

    # -- both -------------------------------------------------------------------------------------------

    def _wish(self, path: Path) -> SeedRequest | None:
        try:
            said = disk.read_json(path, {})
            pairs = {key: tuple((host, port) for host, port in said[key]) for key in ("first", "later")}
            return SeedRequest(**{**said, **pairs})
        except (Corrupt, TypeError, KeyError, ValueError):
            return None

    def _port(self) -> int:
        return int(self._read().get("port", 0))

    def _read(self) -> dict[str, Any]:
        try:
            found = disk.read_json(self._state, {})
        except Corrupt:
            return {}
        return found if isinstance(found, dict) else {}

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            said = self.log.read_text("utf-8", "replace").strip().splitlines()
            return said[-1][:200] if said else "it said nothing"
        return "it said nothing"
