"""The append-only log of each deploy: a file of msgpack maps, the events of :mod:`saltdeploy.protocol.events`.

What leads to an act is fsynced before the act (:meth:`Journal.sync`). A torn last record, left by a crash, is
cut off when the journal is opened again. :mod:`saltdeploy.protocol.journal` reads it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgpack

from saltdeploy.lib import disk, durable
from saltdeploy.lib.errors import DamagedFile
from saltdeploy.protocol import events
from saltdeploy.protocol import journal as reader
from saltdeploy.protocol.holdings import legal
from saltdeploy.protocol.release import check_deploy, file_name, repo_of

#: Of each journal that was looked into, for each repo: what stands at its head never changes.
_EPOCHS: dict[tuple[Path, str], int] = {}


class Journals:
    """The journals below one directory of the master.

    Attributes:
        root: where they lie, those of each repo in a directory of their own.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "journal"

    def write(self, repo: str, deploy: str, also: Iterable[str] = ()) -> Journal:
        """Open the journal of a deploy for appending.

        Args:
            repo: the repo that leads.
            also: more repos that are deployed as one with it; each has a link to the one journal.
        """
        path = self.path(repo, deploy)
        durable.private_directory(self.root)
        durable.private_directory(path.parent)
        for other in also:
            link = self.path(other, deploy)
            durable.private_directory(link.parent)
            with contextlib.suppress(FileExistsError):
                link.symlink_to(Path("..", path.parent.name, path.name))
            disk.fsync_dir(link.parent)
        return Journal(path)

    def path(self, repo: str, deploy: str) -> Path:
        """Where the journal of a deploy lies.

        Raises:
            BadName: that is no id of a deploy.
        """
        return self.root / file_name(repo) / f"{check_deploy(deploy)}.msgpack"

    def repos(self) -> list[str]:
        """Every repo that was ever deployed."""
        found = (legal(path.name, repo_of) for path in self.root.glob("*") if path.is_dir())
        return sorted(filter(None, found))

    def all(self, repo: str) -> list[str]:
        """The ids of the repo's deploys, oldest first: in the order of their epochs, for the clock may have been wrong."""
        paths = (self.root / file_name(repo)).glob("*.msgpack")
        known = [path for path in paths if legal(path.stem, check_deploy)]
        return [path.stem for path in sorted(known, key=lambda path: (_epoch(path, repo), path.stem))]

    def paths(self) -> list[Path]:
        """Every journal once, oldest first: one of several repos lies with the repo that led."""
        found = (path for repo in self.repos() for path in (self.root / file_name(repo)).glob("*.msgpack"))
        own = [path for path in found if legal(path.stem, check_deploy) and not path.is_symlink()]
        return sorted(own, key=lambda path: (_epoch(path, str(legal(path.parent.name, repo_of))), path.stem))

    def latest(self, repo: str) -> str:
        """The id of the newest deploy of the repo, or ""."""
        return next(reversed(self.all(repo)), "")

    def repo_of(self, deploy: str) -> str:
        """The repo of a deploy, of several the one that leads; or ""."""
        found = next(self.root.glob(f"*/{check_deploy(deploy)}.msgpack"), None)
        return repo_of(found.resolve().parent.name) if found else ""


class Journal:
    """One deploy's journal, open for appending. Use as a context manager.

    Attributes:
        lost: why nothing is written any more; None while all is. What followed an event that is missing would tell
            another deploy than the one that took place.
    """

    def __init__(self, path: Path) -> None:
        self.lost: OSError | None = None
        self._path = path
        self._synced = True

    def __enter__(self) -> Journal:
        is_new = not self._path.exists()
        self._file = open(self._path, "a+b", buffering=0, opener=_for_us_alone)  # noqa: SIM115 - closed in __exit__
        self._file.truncate(reader.whole_bytes(self._file))
        if is_new:
            disk.fsync_dir(self._path.parent)
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            if self.lost is None:
                self.sync()

    def append(self, event: events.Event) -> None:
        """Write one event, or nothing of it; readers see it at once, a power cut may still take it.

        Raises:
            OSError: it cannot be written (a full disk), or one before it could not.
        """
        if self.lost is not None:
            raise self.lost
        end = os.fstat(self._file.fileno()).st_size
        try:
            _write(self._file, msgpack.packb(event))
        except OSError as error:
            self._file.truncate(end)
            raise self.lose(error) from error
        self._synced = False

    def lose(self, error: OSError) -> OSError:
        """Write nothing any more; return why, with the path that could not be written."""
        self.lost = OSError(error.errno, error.strerror, error.filename or str(self._path))
        return self.lost

    def sync(self) -> None:
        """Make all that was appended survive a power cut."""
        if not self._synced:
            os.fsync(self._file.fileno())
            self._synced = True


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(file: IO[bytes], data: bytes) -> None:
    while data:
        data = data[file.write(data) :]


def _epoch(path: Path, repo: str) -> int:
    """The epoch of a deploy of the repo; 0 while its journal tells nothing, or is damaged."""
    place = (path, repo)
    if place not in _EPOCHS:
        head = None
        with contextlib.suppress(DamagedFile):
            head = next(reader.replay(path, repo=repo), None)
        if head is None:
            return 0
        _EPOCHS[place] = next(
            map(events.epoch_of, (e for e in events.of_each_repo(head) if e.get("repo") == repo)), 0
        )
    return _EPOCHS[place]


def replay(path: Path) -> Iterator[events.Event]:
    """As :func:`saltdeploy.protocol.journal.replay`, of a journal in its place: an error names the repo."""
    return reader.replay(path, repo=legal(path.parent.name, repo_of))
