"""Records of the log as lines of the screen: long ones are wrapped, so that a cause and its next command are read in full."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from saltdeploy.watch.deploy_log import DeployRecord

if TYPE_CHECKING:
    from saltdeploy.watch.console.screen.painter import Line

_MOST = 6  # lines of one record
_STYLES = {
    logging.DEBUG: "dim",
    logging.WARNING: "yellow",
    logging.ERROR: "red",
    logging.CRITICAL: "bold red",
}


def newest(
    records: Sequence[DeployRecord],
    back: int,
    draw: Callable[[RenderableType, int], list[Line]],
    width: int,
    room: int,
) -> list[Line]:
    """The lines of the newest records, oldest first, as many as there is room for.

    Args:
        back: how many of the newest are left out.
    """
    found: list[Line] = []
    place = len(records) - back
    while place > 0 and len(found) < room:
        place -= 1
        found = [*draw(line(records[place]), width)[:_MOST], *found]
    return found[-room:] if room > 0 else []


def line(record: DeployRecord) -> Text:
    """``10:11:15 web1 fetch is done``."""
    text = Text(overflow="fold", style=_STYLES.get(record.levelno, ""))
    text.append(time.strftime("%H:%M:%S ", time.gmtime(record.created)), style="dim")
    if record.name != "deploy":
        text.append(f"{record.host} ", style="bold")
    # whose deploy it is stands above
    text.append(record.message.removeprefix(f"{record.repo}: "))
    return text
