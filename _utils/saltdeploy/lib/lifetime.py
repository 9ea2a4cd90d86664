"""Which processes of Salt end with what they were started for, and which live on."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Collection, Mapping

_COMMANDS = ("salt-run", "salt-call")
_JOB = re.compile(r"\bfun=(\S+) jid=")


def is_job_of(functions: Collection[str]) -> bool:
    """Whether this process was forked for one call of one of these functions, and ends with it.

    Salt says so in the name of the process; where another version of it does not, the answer is no.
    """
    found = _JOB.search(multiprocessing.current_process().name)
    return found is not None and found[1] in functions


def is_daemon(opts: Mapping[str, object]) -> bool:
    """Whether this process may live on when the package is replaced: any that is not a command.

    Args:
        opts: the configuration that Salt gives a door.
    """
    return not any(command in str(opts.get("__cli")).replace("_", "-") for command in _COMMANDS)
