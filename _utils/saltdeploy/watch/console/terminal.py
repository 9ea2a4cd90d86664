"""The terminal that started a deploy, or joined it: live bars on a TTY, plain lines elsewhere."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import TextIO

from saltdeploy.protocol import events
from saltdeploy.watch import Watcher
from saltdeploy.watch.console.lines import Lines
from saltdeploy.watch.console.prompt import Answer, Prompt
from saltdeploy.watch.settings import WatchSettings, is_terminal

_MULTIPLEXERS = ("tmux", "screen")


def for_stream(stream: TextIO, settings: WatchSettings) -> Watcher:
    """The watcher that fits a stream.

    Args:
        stream: usually ``sys.stderr``, so that a result on stdout stays whole.
        settings: what the watcher is told of that stream.

    Returns:
        Live bars when the stream is a terminal that can move its cursor and the library rich is there;
        else plain lines.

    Example:
        >>> watcher = for_stream(sys.stderr, WatchSettings.of_stream(sys.stderr))
        >>> watcher.hear(event)
        >>> watcher.close()
    """
    if settings.terminal and importlib.util.find_spec("rich") is not None:
        from saltdeploy.watch.console import (
            live,  # rich takes a tenth of a second to load: only for who sees it
        )

        if live.can_draw(stream):
            return _OneByOne(lambda: live.Live(stream, settings))
    return _OneByOne(lambda: Lines(stream, settings))


def takes_a_screen(stdin: TextIO, stream: TextIO) -> bool:
    """Whether somebody sits there who can see the whole screen and press keys, and the library rich is there."""
    try:
        ours = stdin.isatty() and stream.isatty() and os.tcgetpgrp(stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # no real stream, a closed one, or somebody else's terminal
        return False
    can_move = os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    return ours and can_move and importlib.util.find_spec("rich") is not None


def outlives_its_line(stdin: TextIO) -> bool:
    """Whether a terminal goes on when the line to it is cut: inside tmux or screen. True where nobody sits there.

    sudo hides the variables of both, so the processes above this one are looked at as well.
    """
    if not is_terminal(stdin) or any(os.environ.get(name) for name in ("TMUX", "STY")):
        return True
    import psutil  # a hundredth of a second, for a terminal outside of both alone

    try:
        return any(above.name().lower().startswith(_MULTIPLEXERS) for above in psutil.Process().parents())
    except psutil.Error:  # one of them ended meanwhile
        return False


def for_operator(stdin: TextIO, stream: TextIO, answer: Answer, settings: WatchSettings) -> Watcher:
    """Plain lines, and prompts for the questions that the deploy waits with.

    Args:
        stdin: where the operator types; when it is no terminal nobody is asked there.
        stream, settings: as for :func:`for_stream`.
        answer: see :class:`saltdeploy.watch.console.prompt.Prompt`.
    """
    return _OneByOne(lambda: _Both(Prompt(stdin, stream, answer), Lines(stream, settings)))


def is_one_screen(first: TextIO, second: TextIO) -> bool:
    """Whether what is written to two streams is read in one place: a terminal, a file, a pipe."""
    try:
        return os.path.sameopenfile(first.fileno(), second.fileno())
    except (AttributeError, OSError, ValueError):  # no real stream, or a closed one
        return False


class _Both:
    """Two watchers on one screen; the first one makes room for what the second one says."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def hear(self, event: events.Event) -> None:
        for watcher in self._watchers:
            watcher.hear(event)

    def tick(self, now: float) -> None:
        for watcher in self._watchers:
            watcher.tick(now)

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.close()


class _OneByOne:
    """Several deploys, one after the other: what a repo depends on is deployed before it, by deploys of its own."""

    def __init__(self, make: Callable[[], Watcher]) -> None:
        self._make = make
        self._watcher = make()
        self._over = False
        self._deploy: object = ""

    def hear(self, event: events.Event) -> None:
        kind = event.get("event") if isinstance(event, dict) else None
        if kind in (events.PREPARING, events.STARTED):
            if self._over or self._deploy not in ("", event.get("deploy")):
                self._watcher.close()
                self._watcher, self._over = self._make(), False
            self._deploy = event.get("deploy")
        self._watcher.hear(event)
        self._over |= kind == events.FINISHED

    def tick(self, now: float) -> None:
        self._watcher.tick(now)

    def close(self) -> None:
        self._watcher.close()
