"""A deploy as a text that replays elsewhere: a head, then one event a line, as JSON.

The plan of a deploy stays at home: it is big, says where payloads lie, and only a resumed deploy needs it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from saltdeploy.lib.below import plain
from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol import events

HEAD = {"saltdeploy": "export", "v": 1}
_LONGEST = 1 << 20  # characters of a line
_HOW = "salt-run deploy.export id=ID > deploy.jsonl, where the deploy was; then file=deploy.jsonl"


def lines(told: Iterable[events.Event]) -> Iterator[str]:
    """The text, line by line.

    Args:
        told: the events of a journal.
    """
    yield json.dumps(HEAD)
    for event in told:
        if event["event"] != events.PLANNED:
            yield json.dumps(event)


def write(told: Iterable[events.Event], path: Path) -> int:
    """Write a new file that its owner alone may read; what is there already stays.

    Returns:
        How many lines it has.

    Raises:
        BadArguments: there is something of this name.
        DeployError: it cannot be written; nothing of it is left.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise BadArguments(
            "file names something that is there already",
            path=str(path),
            next=f"choose another name than {path}",
        ) from None
    except OSError as error:
        raise from_os(error, path=str(path)) from error
    number = 0
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            for line in lines(told):
                file.write(f"{line}\n")
                number += 1
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        with contextlib.suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise from_os(error, path=str(path)) from error
        raise
    return number


def opened(path: Path) -> IO[str]:
    """An exported deploy, to be read.

    Raises:
        BadArguments: it is no plain file; one that never ends is not waited for.
        DeployError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise from_os(error, path=str(path)) from error
    if plain(fd) is None:
        raise BadArguments("file names no plain file", path=str(path), next=_HOW)
    return os.fdopen(fd, encoding="utf-8", errors="replace")


def read(stream: IO[str], place: str) -> Iterator[events.Event]:
    """The events in a text that :func:`lines` has made, whatever else was done to it since.

    Args:
        place: what is read, for errors.

    Raises:
        BadArguments: it is no exported deploy, or a line of it is no event.
    """
    found: object = None
    for number, line in enumerate(iter(lambda: stream.readline(_LONGEST), ""), 1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise _no_export(place, number) from None
        if number == 1:
            if found != HEAD:
                raise _no_export(place, number)
        elif _is_event(found):
            yield found  # type: ignore[misc]
        else:
            raise _no_export(place, number)
    if found is None:
        raise _no_export(place, 1)


def _is_event(found: object) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("time"), (int, float)):
        return False
    return all(isinstance(found.get(key), str) for key in ("event", "deploy", "repo"))


def _no_export(place: str, number: int) -> BadArguments:
    what = "it is no exported deploy" if number == 1 else f"line {number} is no event of a deploy"
    return BadArguments(what, path=place, next=_HOW)
