"""Salt 3008 ends each command with warnings of objects of its own that it has not closed; nobody can do anything about them."""

from __future__ import annotations

import logging

#: Who logs such warnings.
_LOGGERS = ("salt.runner", "salt.minion", "salt.utils.asynchronous", "salt.utils.event", "salt.transport.tcp")


def no_unclosed(opts: dict[str, object]) -> None:
    """Leave those warnings out of what ``salt-run`` prints; in any other process nothing is changed.

    Args:
        opts: the master's configuration.
    """
    if "salt-run" not in str(opts.get("__cli")).replace("_", "-"):
        return
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_no_unclosed)


def _is_no_unclosed(record: logging.LogRecord) -> bool:
    return not (record.levelno == logging.WARNING and str(record.msg).startswith("unclosed "))
