"""Something done by a user without any right, whose process is a fork of this one: the checkout may be closed to them."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """The exit status of a process, and what it wrote."""

    status: int
    out: str
    err: str


def as_nobody(act: Callable[[], int]) -> Said:
    """Do something as the user ``nobody``; the caller has to be root."""
    user = pwd.getpwnam("nobody")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
                status = act()
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(pid, 0)
        return Said(os.waitstatus_to_exitcode(ended), *(_text(each) for each in (out.fileno(), err.fileno())))


def _text(number: int) -> str:
    return os.pread(number, 1_000_000, 0).decode()
