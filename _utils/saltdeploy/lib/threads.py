"""Something that is done while its caller does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Done = TypeVar("_Done")


def meanwhile(do: Callable[[], _Done]) -> Future[_Done]:
    """Call ``do`` in a thread of its own; a process that ends does not wait for it, as it would for an executor's.

    Returns:
        What it will return, or raise.
    """
    future: Future[_Done] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # whatever it is, it is the caller's
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
