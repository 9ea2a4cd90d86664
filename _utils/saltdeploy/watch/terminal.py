"""The terminal that started a deploy, or joined it: live bars on a TTY, plain lines elsewhere."""

from __future__ import annotations

import importlib.util
from typing import TextIO

from saltdeploy.watch import Watcher
from saltdeploy.watch.lines import Lines


def for_stream(stream: TextIO) -> Watcher:
    """The watcher that fits a stream.

    Args:
        stream: usually ``sys.stderr``, so that a result on stdout stays whole.

    Returns:
        Live bars when the stream is a terminal that can move its cursor and the library rich is there;
        else plain lines.

    Example:
        >>> watcher = for_stream(sys.stderr)
        >>> watcher.hear(event)
        >>> watcher.close()
    """
    if _is_terminal(stream) and importlib.util.find_spec("rich") is not None:
        from saltdeploy.watch import live  # rich takes a tenth of a second to load: only for who sees it

        if live.can_draw(stream):
            return live.Live(stream)
    return Lines(stream)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # no real stream, or a closed one
        return False
