"""The append-only log of each deploy, and the history made of them.

A journal is a file of msgpack maps (the events of :mod:`saltdeploy.events`), one per deploy. Decisions are
fsynced before they are acted on; progress is only written. A torn last record (a crash while it was being
written) is cut off when the file is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import msgpack

from saltdeploy import events
from saltdeploy.release import file_name

_ADVISORY = (events.HOST_PROGRESS, events.STAGE_PROGRESS)
_HISTORIC = (events.STARTED, events.FINISHED)
_LOOK_EVERY = 0.1  # seconds


class Journals:
    """The journals below one directory of the master."""

    def __init__(self, root: Path) -> None:
        self._root = root / "journal"

    def write(self, repo: str, deploy: str) -> Journal:
        """Open the journal of a deploy for appending."""
        directory = self._directory(repo)
        directory.mkdir(parents=True, exist_ok=True)
        return Journal(directory / f"{deploy}.msgpack", directory / "history.msgpack")

    def path(self, repo: str, deploy: str) -> Path:
        """Where the journal of a deploy lies."""
        return self._directory(repo) / f"{deploy}.msgpack"

    def latest(self, repo: str) -> str:
        """The id of the newest deploy of the repo, or ""."""
        started = [e["deploy"] for e in self._history(repo) if e["event"] == events.STARTED]
        return str(started[-1]) if started else ""

    def versions(self, repo: str) -> list[dict[str, Any]]:
        """The repo's deploys, newest first.

        Returns:
            Dicts with ``deploy, tag, commit, user, time, action, outcome, ok, total``; a deploy that has not
            ended has the outcome "".
        """
        found: dict[str, dict[str, Any]] = {}
        for event in self._history(repo):
            if event["event"] == events.STARTED:
                known = {key: event.get(key) for key in ("deploy", "tag", "commit", "user", "time", "action")}
                found[event["deploy"]] = {**known, "outcome": "", "ok": 0, "total": event.get("hosts", 0)}
            elif event["deploy"] in found:
                found[event["deploy"]] |= {key: event.get(key) for key in ("outcome", "ok", "total")}
        return list(reversed(found.values()))

    def _history(self, repo: str) -> Iterator[events.Event]:
        return replay(self._directory(repo) / "history.msgpack")

    def _directory(self, repo: str) -> Path:
        return self._root / file_name(repo)


class Journal:
    """One deploy's journal, open for appending. Use as a context manager."""

    def __init__(self, path: Path, history: Path) -> None:
        self._path = path
        self._history = history

    def __enter__(self) -> Journal:
        self._file: IO[bytes] = open(self._path, "ab")  # noqa: SIM115 - closed in __exit__
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, event: events.Event) -> None:
        """Write one event; durable when this returns, unless it only tells of progress."""
        record = msgpack.packb(event)
        self._file.write(record)
        self._file.flush()
        if event["event"] not in _ADVISORY:
            os.fsync(self._file.fileno())
        if event["event"] in _HISTORIC:
            _append_whole(self._history, record)


def _append_whole(path: Path, record: bytes) -> None:
    """Append after the last whole record: what a crash left half-written would hide all that follows."""
    with open(path, "a+b") as file:
        file.truncate(_whole_bytes(file))
        file.write(record)
        file.flush()
        os.fsync(file.fileno())


def _whole_bytes(file: IO[bytes]) -> int:
    file.seek(0)
    unpacker = msgpack.Unpacker(file)
    end = 0
    while True:
        try:
            unpacker.skip()
        except msgpack.OutOfData:
            return end
        end = unpacker.tell()


def replay(path: Path) -> Iterator[events.Event]:
    """The events in a journal, oldest first; none when there is no such file."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return
    with file:
        yield from msgpack.Unpacker(file)


def follow(
    path: Path, alive: Callable[[], bool], pause: Callable[[float], None]
) -> Iterator[events.Event | None]:
    """The events in a journal and those that are appended later, until the deploy ends.

    Args:
        path: the journal.
        alive: whether the process that writes it still lives; when it does not, what is there is all there is.
        pause: waits for so many seconds.

    Yields:
        Events; and None whenever there is nothing new, so that the caller can redraw.
    """
    unpacker = msgpack.Unpacker()
    with open(path, "rb") as file:
        while True:
            lives = alive()
            piece = file.read()
            unpacker.feed(piece)
            for event in unpacker:
                yield event
                if event["event"] == events.FINISHED:
                    return
            if not piece:
                if not lives:
                    return
                yield None
                pause(_LOOK_EVERY)
