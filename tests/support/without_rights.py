"""Lets a function run as somebody whom the modes of files count for, whoever runs the tests."""

from __future__ import annotations

import ctypes
import os
import traceback
from collections.abc import Callable

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_VERSION_3 = 0x20080522


def without_rights(act: Callable[[], object]) -> None:
    """Call it in a child process without root's right to read and write what no mode lets it, nor have its programs that.

    Raises:
        AssertionError: it raised; with its traceback.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        told = ""
        try:
            _give_up_rights()
            act()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent tells it
            told = traceback.format_exc()
        os.write(writing, told.encode()[-60_000:])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        told = file.read().decode()
    os.waitpid(child, 0)
    assert not told, told


def _give_up_rights() -> None:
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    rights = (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH)
    for right in rights:  # so that programs which root starts do not get them back
        _check(libc.prctl(_PR_CAPBSET_DROP, right, 0, 0, 0))
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _check(libc.capget(header, data))
    for at in range(3):  # effective, permitted, inheritable
        for right in rights:
            data[at] &= ~(1 << right)
    _check(libc.capset(header, data))


def _check(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
