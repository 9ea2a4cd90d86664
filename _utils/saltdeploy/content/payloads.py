"""Packed files named by their sha256: add, find, collect garbage.

A payload is immutable; its name is its digest, so that whoever gets it can check it and any cache may keep it.
The name is also the capability: nothing lists the store to a minion.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from saltdeploy.content.exports import Exports
from saltdeploy.git.repository import Progress
from saltdeploy.lib import disk, durable
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt, DamagedFile, Unavailable
from saltdeploy.protocol.orders import Payload
from saltdeploy.protocol.release import check_commit, file_name

_NAME = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_MADE = ".made"  # no repo's name begins with a dot


class Payloads:
    """The payloads in one directory: of the master, of a fanout, of a target that was preseeded.

    Attributes:
        exports: trees for rsync, in a directory beside it; of a master only.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.exports = Exports(directory.with_name("exports"))

    def path(self, sha256: str) -> Path | None:
        """Where the payload of this name lies; None for one that is not here, and for anything that is no name."""
        path = self._directory / sha256 if _NAME.fullmatch(sha256) else None
        return path if path is not None and path.is_file() else None

    def find_or_pack(
        self,
        repo: str,
        base: str,
        commit: str,
        pack: Callable[[Path], None],
        kind: str = "bundle",
        brings: Callable[[], int] = lambda: 0,
        state: str = "",
    ) -> Payload:
        """The payload that brings a host of ``repo`` from ``base`` to ``commit``; packed once and then found.

        Args:
            base: a commit, or "" for a host that holds nothing.
            pack: writes the file at the path that it is given.
            kind: of the payload.
            brings: counts :attr:`saltdeploy.protocol.orders.Payload.brings`.
            state: a word for what else it is made of; as long as that is the same, the payload is found.
        """
        note = self._note(repo, base, commit, f"{kind}.{state}" if state else kind)
        payload = self._known(note)
        if payload is None:
            payload = dataclasses.replace(self._add(base, pack, kind), brings=brings())
            durable.write(note, payload.to_wire())
        return payload

    def made_of(self, payload: Payload, make: Callable[[Path], bytes], kind: str) -> Payload:
        """What is made of a payload that is here; made once and then found.

        Args:
            make: takes the payload's path.
            kind: tells it from what else is made of the same payload.

        Raises:
            Unavailable: the payload is not here.
        """
        path = self.path(payload.sha256)
        if path is None:
            raise Unavailable(f"payload {payload.sha256} is not here")
        directory = self._directory / "pairs" / _MADE
        directory.mkdir(parents=True, exist_ok=True)
        note = directory / f"{payload.sha256}.{kind}.json"
        made = self._known(note)
        if made is None:
            made = self._add(payload.base, lambda aside: aside.write_bytes(make(path)), kind)
            durable.write(note, made.to_wire())
        return made

    def last(self, repo: str, kind: str) -> Payload | None:
        """The payload of a repo and a kind that was packed or found last; it counts as used."""
        notes = (self._directory / "pairs" / file_name(repo)).glob(f"*.{kind}.json")
        for note in sorted(notes, key=lambda note: note.stat().st_mtime_ns, reverse=True):
            if (payload := self._known(note)) is not None:
                return payload
        return None

    def find(self, repo: str, base: str, commit: str, kind: str) -> Payload | None:
        """What :meth:`find_or_pack` would find; None where it would pack."""
        return self._known(self._note(repo, base, commit, kind))

    def _known(self, note: Path) -> Payload | None:
        """The payload that a note speaks of, if it is still what its name says; used from now on."""
        try:
            payload = durable.read(note, Payload.from_wire, None)
        except DamagedFile:  # it is only a note
            return None
        if payload is None:
            return None
        path = self.path(payload.sha256)
        if path is None or digest_of(path) != payload.sha256:
            return None
        os.utime(path)
        os.utime(note)
        return payload

    def collect(self, keep: Collection[str], older_than: float, sweep: Cleanup | None = None) -> None:
        """Delete payloads whose name is not in ``keep`` and that nobody has used since ``older_than`` (epoch)."""
        sweep = sweep or Cleanup(measure=False)
        for path in [*self._directory.glob("*"), *self._directory.glob("pairs/*/*")]:
            with contextlib.suppress(FileNotFoundError):  # deploys of other repos collect as well
                surplus = path.is_file() and path.name not in keep
                # what a master left that was killed while it packed
                if (surplus or path.name.startswith(".delta-")) and path.stat().st_mtime < older_than:
                    sweep.drop("payloads", path)

    def names(self) -> set[str]:
        """The names of all payloads that are here."""
        return {path.name for path in self._directory.glob("*") if _NAME.fullmatch(path.name)}

    def add(self, payload: Payload, aside: Path) -> None:
        """Keep a payload for whoever asks for it by its name.

        Args:
            aside: holds its bytes, checked, on the same file system; it is moved.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o711)  # to be read by name, and not listed
        aside.chmod(0o644)  # a web server of another user may serve it
        disk.fsync_file(aside)
        os.rename(aside, self._directory / payload.sha256)
        disk.fsync_dir(self._directory)

    def is_whole(self, payload: Payload) -> bool:
        """Whether the payload is here and still what its name says; used from now on. What has rotted is deleted."""
        path = self.path(payload.sha256)
        if path is None:
            return False
        try:
            check(path, payload)
            os.utime(path)
        except (Corrupt, FileNotFoundError):
            return False
        return True

    def _add(self, base: str, pack: Callable[[Path], object], kind: str) -> Payload:
        aside = self._directory / f".{secrets.token_hex(8)}"
        try:
            pack(aside)
            payload = Payload(base, digest_of(aside), aside.stat().st_size, kind)
            self.add(payload, aside)
        finally:
            aside.unlink(missing_ok=True)
        return payload

    def _note(self, repo: str, base: str, commit: str, kind: str) -> Path:
        # who can list it knows the names, and whoever can guess a pair of commits could read its note
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory = self._directory / "pairs" / file_name(repo)
        directory.mkdir(parents=True, exist_ok=True)
        pair = f"{check_commit(base) if base else 'nothing'}-{check_commit(commit)}"
        return directory / (f"{pair}.json" if kind == "bundle" else f"{pair}.{kind}.json")


def alias(name: str) -> str:
    """A word for a payload that does not tell its name, which is what lets one have it."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def digest_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def check(path: Path, payload: Payload) -> None:
    """Throw away a received file that is not the payload.

    Raises:
        Corrupt: its digest is another one; the file is gone then.
    """
    found = digest_of(path)
    if found != payload.sha256:
        with contextlib.suppress(OSError):
            path.unlink()
        raise Corrupt(
            f"what was received has sha256 {found}, not {payload.sha256}",
            path=str(path),
            next="run the same command again; if it repeats, look at what lies between master and minion",
        )


class Downloader(Protocol):
    """Brings one payload to a file. Its bytes are not trusted: the caller checks the digest."""

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Write the payload's bytes to ``destination``.

        Raises:
            Unavailable: when they cannot be had.
        """
