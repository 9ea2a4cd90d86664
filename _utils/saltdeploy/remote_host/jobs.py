"""A stage that is done in a process of its own, so that it outlives the connection by which it was asked for.

What it has to tell meanwhile it appends to a file, and its answer it puts beside it. Whoever is connected reads both: the one
who has begun it, or one who comes after a connection broke.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.lib import disk, durable, flock
from saltdeploy.protocol.result import Result

_KEPT = 7 * 86_400.0  # seconds

Tell = Callable[[dict[str, Any]], None]
"""Says something to whoever listens, if anybody does."""


class StageJob:
    """One stage of one deploy on this host.

    Args:
        directory: of all stages of this host.
        subject: deploy, stage, repo, attempt.
    """

    def __init__(self, directory: Path, *subject: object) -> None:
        name = hashlib.sha256(json.dumps([str(each) for each in subject]).encode()).hexdigest()[:32]
        self._directory = durable.private_directory(directory / name)
        self._lock = self._directory / "lock"
        self._told = self._directory / "told"
        self._answer = self._directory / "answer.json"

    @property
    def runs(self) -> bool:
        """Whether the stage is being done."""
        return flock.is_taken(self._lock)

    def begin(self, act: Callable[[Tell], Result]) -> bool:
        """Let a process of its own do the stage; False when one does it already."""
        with flock.taken(self._lock) as free:
            if not free:
                return False
            self._answer.unlink(missing_ok=True)
            self._told.write_bytes(b"")
            pid = os.fork()
            if pid == 0:  # holds the lock until it ends: the descriptor is shared
                self._be_the_job(act)
        return True

    def answer(self) -> Result | None:
        """What came of it; None while it is done, and when its process died over it."""
        return durable.read(self._answer, Result.from_wire, None)

    def told(self) -> Iterator[list[dict[str, Any]]]:
        """What it has told since the last turn, without an end."""
        with open(self._told, "rb") as file:
            rest = b""
            while True:
                lines = (rest + file.read()).split(b"\n")
                rest = lines.pop()
                yield [json.loads(line) for line in lines]

    def _be_the_job(self, act: Callable[[Tell], Result]) -> None:
        """In the new process. It ends here, whatever happens."""
        try:
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            with open(self._told, "ab", buffering=0) as told:
                answer = act(lambda message: _append(told.fileno(), message))
            disk.write_json(self._answer, answer.to_wire(), mode=0o600)
        except BaseException:
            with contextlib.suppress(OSError):
                (self._directory / "died").write_text(traceback.format_exc())
        finally:
            os._exit(0)


def _append(file: int, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a full disk: what is told decides nothing
        os.write(file, json.dumps(message).encode("ascii") + b"\n")


def forget_old(directory: Path) -> None:
    """Delete what is left of stages that nobody asks for any more."""
    for place in directory.glob("*"):
        with contextlib.suppress(OSError):
            old = place.stat().st_mtime < time.time() - _KEPT
            if old and not flock.is_taken(place / "lock"):
                disk.remove_tree(place)
