"""Reads the journal of a deploy, a file of msgpack maps: events as :mod:`saltdeploy.protocol.events` builds them.

Whoever can read the file can be told the deploy again. What is no whole event, a record that a crash tore, or
zeros that a power cut left, ends it. Nothing is ever written here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgpack

from saltdeploy.lib.errors import DamagedFile
from saltdeploy.protocol import events

_LOOK_EVERY = 0.1  # seconds


def replay(path: Path, *, repo: str = "") -> Iterator[events.Event]:
    """The events in a journal, oldest first, up to where it is damaged; none when there is no such file.

    Args:
        path: the journal.
        repo: whose it is.

    Raises:
        DamagedFile: it is no file that can be read.
    """
    try:
        file = _opened(path, repo)
    except FileNotFoundError:
        return
    with file, contextlib.suppress(ValueError):
        for event in msgpack.Unpacker(file):
            if not _is_event(event):
                return
            yield event


def positions(path: Path, start: int = 0) -> Iterator[tuple[events.Event, int]]:
    """The events in a journal, each with how many bytes of the file it ends behind; up to where it is damaged.

    Args:
        path: the journal.
        start: such a number: only what stands behind it.

    Raises:
        DamagedFile: it is no file that can be read.
        FileNotFoundError: there is none.
    """
    with _opened(path, "") as file, contextlib.suppress(ValueError, msgpack.OutOfData):
        file.seek(start)
        unpacker = msgpack.Unpacker(file)
        while True:
            event = unpacker.unpack()
            if not _is_event(event):
                return
            yield event, start + unpacker.tell()


def is_whole(path: Path) -> bool:
    """Whether a journal holds events, and after the last one nothing."""
    try:
        with _opened(path, "") as file:
            end = whole_bytes(file)
            return 0 < end == os.fstat(file.fileno()).st_size
    except (FileNotFoundError, DamagedFile):
        return False


def _opened(path: Path, repo: str) -> IO[bytes]:
    try:
        return open(path, "rb")
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:  # a directory, a loop of links
        raise DamagedFile.of_file(path, error.strerror or str(error), repo=repo) from error


def _is_event(found: object) -> bool:
    """Whether it can be one: a power cut may leave zeros, which are numbers."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("event"), str)
        and isinstance(found.get("time"), (int, float))
    )


def follow(
    path: Path, alive: Callable[[], bool], pause: Callable[[float], None], *, repo: str = ""
) -> Iterator[events.Event | None]:
    """The events in a journal and those that are appended later, until the deploy ends.

    Args:
        path: the journal.
        alive: whether the process that writes it still lives; when it does not, what is there is all there is.
        pause: waits for so many seconds.
        repo: whose it is.

    Yields:
        Events; and None whenever there is nothing new, so that the caller can redraw.

    Raises:
        DamagedFile: it continues with what is no event.
    """
    unpacker = msgpack.Unpacker()
    with _opened(path, repo) as file:
        while True:
            lives = alive()
            piece = file.read()
            unpacker.feed(piece)
            for event in _events_in(unpacker, path, repo):
                yield event
                if event["event"] == events.FINISHED:
                    return
            if not piece:
                if not lives:
                    return
                yield None
                pause(_LOOK_EVERY)


def _events_in(unpacker: msgpack.Unpacker, path: Path, repo: str) -> Iterator[events.Event]:
    with contextlib.suppress(msgpack.OutOfData):
        while True:
            try:
                event = unpacker.unpack()
            except ValueError as error:
                raise _no_event(path, repo) from error
            if not _is_event(event):
                raise _no_event(path, repo)
            yield event


def _no_event(path: Path, repo: str) -> DamagedFile:
    return DamagedFile.of_file(
        path,
        "something that is no event stands in it",
        repo=repo,
        after=f"salt-run deploy.report repo={repo} tells how the hosts are",
    )


def whole_bytes(file: IO[bytes]) -> int:
    """How many bytes of a journal are whole events; what follows them was torn, or is none."""
    file.seek(0)
    unpacker = msgpack.Unpacker(file)
    end = 0
    with contextlib.suppress(ValueError, msgpack.OutOfData):  # a torn record
        while _is_event(unpacker.unpack()):
            end = unpacker.tell()
    return end
