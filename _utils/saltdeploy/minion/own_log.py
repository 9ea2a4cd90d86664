"""What this package logs on a host while it does a stage: kept aside, for the log of the deploy on the master.

What the host's own log leaves out by its level is not made at all, and so is not here either.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from saltdeploy.lib.text import public
from saltdeploy.protocol.host_lines import LONGEST, MOST, HostLine

_PACKAGE = "saltdeploy"


class OwnLog(logging.Handler):
    """The newest lines of one thread; a minion may do several stages in as many threads.

    Attributes:
        cut: how many older ones there were.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.cut = 0
        self._lines: deque[HostLine] = deque(maxlen=MOST)
        self._thread = threading.get_ident()

    @property
    def lines(self) -> tuple[HostLine, ...]:
        """What is kept, oldest first."""
        return tuple(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Take in one record; one that cannot be formatted is the business of the host's own log."""
        if record.thread != self._thread:
            return
        try:
            text = public(record.getMessage())
        except Exception:  # a wrong number of arguments: Salt's own handlers complain of it
            return
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        self.cut += len(self._lines) == MOST
        self._lines.append(HostLine(record.created, record.levelno, text[:LONGEST]))


@contextmanager
def listening() -> Iterator[OwnLog]:
    """What is logged by this thread while the block runs."""
    heard, logger = OwnLog(), logging.getLogger(_PACKAGE)
    logger.addHandler(heard)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)
