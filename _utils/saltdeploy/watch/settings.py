"""What a watcher is told before its first event: all that it knows beside the events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class WatchSettings:
    """Made by the door that opens a watcher; nothing of it changes while the deploy runs.

    Attributes:
        result_of: the deploy whose result follows on the same screen: its outcome is left to that.
        terminal: whether somebody sits behind the stream that the watcher writes to.
    """

    result_of: str = ""
    terminal: bool = False

    @classmethod
    def of_stream(cls, stream: TextIO, *, result_of: str = "") -> WatchSettings:
        """The settings that fit a stream."""
        return cls(result_of, is_terminal(stream))


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody sits behind a stream."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # no real stream, or a closed one
        return False
