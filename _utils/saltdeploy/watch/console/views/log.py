"""The log of a deploy: how a line of it looks, and what it has told whoever did not read it as it came."""

from __future__ import annotations

import logging
import time

from saltdeploy.watch.console.views.common import View, cell, views
from saltdeploy.watch.text import clean, count, moment

_LONGEST = 4000  # characters
_COLOURS = {
    logging.DEBUG: "2",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}


def line(created: float, levelno: int, host: str, message: str, *, colour: bool = False) -> str:
    """``10:11:15 [web1] fetch is done``, in UTC; of texts that were cleaned of what moves a cursor."""
    said = f"{time.strftime('%H:%M:%S', time.gmtime(created))} [{host}] {message}"
    code = _COLOURS.get(levelno, "") if colour else ""
    return f"\033[{code}m{said}\033[0m" if code else said


def log(view: View, now: float, colour: bool) -> list[str]:
    """The view ``log``; one whose lines were written as they came shows nothing more."""
    more = count(view.get("left_off"))
    before = [f"{more} older lines are left off"] if more else []
    return before + [
        line(
            moment(each.get("created")) or 0.0,
            count(each.get("levelno")),
            cell(each.get("host")),
            clean(each.get("message"), _LONGEST),
            colour=colour,
        )
        for each in views(view.get("records"))
    ]
