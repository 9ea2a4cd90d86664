"""Lets a piece of work, and the programs that it starts, write below a few directories and nowhere else: landlock(7).

Git goes by paths, and whoever owns a directory of its work tree can exchange one there with a link while git writes. The kernel
keeps it inside all the same. A kernel without Landlock (before 5.13, or where it is switched off) keeps nothing.
"""

from __future__ import annotations

import contextvars
import ctypes
import functools
import logging
import os
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same system calls on every machine
_ASK_VERSION, _BENEATH = 1, 1
_SET_NO_NEW_PRIVS = 38
_WRITE_FILE = 1 << 1
# remove a directory, a file; make a character device, a directory, a file, a socket, a pipe, a block device, a link
_CHANGE = sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3
_libc = ctypes.CDLL(None, use_errno=True)
_Result = TypeVar("_Result")


@functools.cache
def version() -> int:
    """What the kernel's Landlock can do; 0 for nothing."""
    return max(_libc.syscall(_CREATE, None, 0, _ASK_VERSION), 0)


def confined(work: Callable[[], _Result], places: Iterable[Path]) -> _Result:
    """Do some work, in a thread that may make, change and delete what is below these directories only.

    Args:
        places: directories; those that are not there are left out.

    Raises:
        PermissionError: it tried to write elsewhere.
        Exception: whatever the work raises.
    """
    if not version():
        log.warning("This kernel has no Landlock: a link that somebody puts into a work tree is followed.")
        return work()
    done: list[_Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _restrict([*map(os.fsencode, places), b"/dev/null"])
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=[run])
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _restrict(places: Iterable[bytes]) -> None:
    """From now on this thread writes below these only, and so does what it starts."""
    access = _WRITE_FILE | _CHANGE | (_REFER if version() >= 2 else 0) | (_TRUNCATE if version() >= 3 else 0)
    rules = _checked(_libc.syscall(_CREATE, struct.pack("=Q", access), 8, 0))
    try:
        for place in places:
            _allow(rules, place, access)
        _checked(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(_libc.syscall(_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, place: bytes, access: int) -> None:
    try:
        fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = access if os.path.isdir(place) else access & (_WRITE_FILE | _TRUNCATE)
        _checked(_libc.syscall(_ADD, rules, _BENEATH, struct.pack("=Qi", allowed, fd), 0))
    finally:
        os.close(fd)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
