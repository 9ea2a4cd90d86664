"""The log of a deploy as lines, in scap's format, or as one JSON document a line."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TextIO

from saltdeploy.protocol import events
from saltdeploy.watch.console.views.log import line
from saltdeploy.watch.deploy_log import DeployLog, DeployRecord
from saltdeploy.watch.log_filter import LogFilter


def json_line(record: DeployRecord) -> str:
    """The record's attributes as JSON, without a newline in it."""
    return json.dumps(record.attributes())


class LogLines:
    """A :class:`saltdeploy.watch.Watcher` that writes the records which pass a filter.

    Args:
        stream: takes text. When its reader goes away, nothing more is written.
        chosen: which records are written.
        master: see :class:`saltdeploy.watch.deploy_log.DeployLog`.
        colour: by level; for terminals.
        as_json: one JSON document a line.

    Attributes:
        shown, seen: how many records were written, and how many there were.
        gone: the reader of the stream went away.
    """

    def __init__(
        self, stream: TextIO, chosen: LogFilter, master: str, *, colour: bool = False, as_json: bool = False
    ) -> None:
        self._stream = stream
        self._chosen = chosen
        self._log = DeployLog(master)
        self._colour = colour
        self._as_json = as_json
        self.shown = self.seen = 0
        self.gone = False

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        for record in self._log.hear(event):
            self.seen += 1
            if not self.gone and self._chosen.matches(record.attributes()):
                self.shown += 1
                self._write(json_line(record) if self._as_json else self._line(record))

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""

    def _line(self, record: DeployRecord) -> str:
        return line(record.created, record.levelno, record.host, record.message, colour=self._colour)

    def _write(self, said: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(said.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError, LookupError):  # the reader went away, or the stream was closed
            self.gone = True


def let_go(stream: TextIO) -> None:
    """Lead a stream whose reader went away to nowhere: Python would complain of it when the process ends."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


class KeptRecords:
    """The same for whoever calls the runner from elsewhere: keeps the newest ones as data.

    Args:
        most: how many are kept.

    Attributes:
        records: attributes of each, oldest first.
        left_off: how many older ones passed the filter too.
    """

    def __init__(self, chosen: LogFilter, master: str, most: int) -> None:
        self._chosen = chosen
        self._log = DeployLog(master)
        self._most = most
        self.records: list[dict[str, str | int | float]] = []
        self.left_off = 0

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        found = (record.attributes() for record in self._log.hear(event))
        self.records += [dict(each) for each in found if self._chosen.matches(each)]
        if (more := len(self.records) - self._most) > 0:
            del self.records[:more]
            self.left_off += more

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
