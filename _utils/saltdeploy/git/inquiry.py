"""One ``git cat-file`` for many questions: to start git for each of them takes longer than all answers together.

It runs from the first question until nobody uses the object any more, and reads only. It holds no lock of ours: whoever waits
for that would wait for it as well. Git looks for packs that have come meanwhile where it lacks something.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from saltdeploy.lib import process as processes

#: Questions that are written before an answer is read. All of them fit into a pipe, so that nobody waits for who waits for him.
MOST_AT_ONCE = 400
_LONGEST = 128  # bytes of a question that is asked with others

Start = Callable[[], subprocess.Popen[bytes]]
"""Starts git with pipes for its input and its output."""


class NoAnswer(Exception):
    """Git has ended, or says what is no answer: let it be asked in another way."""


_kept: weakref.WeakSet[Inquiry] = weakref.WeakSet()


def end_all() -> None:
    """End each process that this one keeps for later questions, before others look at who uses a repository."""
    for inquiry in list(_kept):
        inquiry.close()


class Inquiry:
    """One process of git's, which answers in the order of the questions. Threads take turns.

    Args:
        place: the git directory; when it is another one, so is the process.
        start: see :data:`Start`.
    """

    def __init__(self, place: Path, start: Start) -> None:
        self._place, self._start = place, start
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: tuple[int, ...] = ()
        self._owner = 0
        _kept.add(self)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next question starts another one."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        if self._owner == os.getpid():  # in a fork of ours it is another's child
            processes.kill(process)
            process.wait()
        else:
            process.returncode = 0

    @contextlib.contextmanager
    def asked(self, questions: Sequence[str]) -> Iterator[IO[bytes]]:
        """Ask, at most :data:`MOST_AT_ONCE` at a time; read all answers in the block.

        Raises:
            NoAnswer: git has ended.
        """
        assert len(questions) <= MOST_AT_ONCE
        assert not any("\n" in each for each in questions)
        assert all(len(each) <= _LONGEST for each in questions) or len(questions) == 1
        with self._turn:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write("".join(f"{each}\n" for each in questions).encode())
                process.stdin.flush()
                yield process.stdout
            except BaseException as error:  # what is left in the pipe is no answer to the next question
                self.close()
                if isinstance(error, BrokenPipeError):
                    raise NoAnswer from None
                raise

    def heads(self, questions: Sequence[str]) -> list[list[bytes]]:
        """The words of one line for each question.

        Raises:
            NoAnswer: git has ended.
        """
        found = []
        for begin in range(0, len(questions), MOST_AT_ONCE):
            some = questions[begin : begin + MOST_AT_ONCE]
            with self.asked(some) as answers:
                for _ in some:
                    line = answers.readline()
                    if not line.endswith(b"\n"):
                        raise NoAnswer
                    found.append(line.split())
        return found

    def _running(self) -> subprocess.Popen[bytes]:
        """The process, of the directory as it is now, and of this process."""
        seen = self._look()
        if self._process is not None and (seen != self._seen or self._owner != os.getpid()):
            self.close()
        if self._process is None:
            self._process, self._seen, self._owner = self._start(), seen, os.getpid()
        return self._process

    def _look(self) -> tuple[int, ...]:
        with contextlib.suppress(OSError):
            found = os.stat(self._place / "objects")
            return found.st_dev, found.st_ino
        return ()
