"""Something that is dear to make, kept for a while for all who ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from saltdeploy.lib.errors import DeployError

T = TypeVar("T")


class Kept(Generic[T]):
    """What ``make`` gives, or the error that it raises; it is asked again after some seconds.

    Args:
        make: makes it.
        seconds: how long it is kept.
        clock: seconds that only grow.
    """

    def __init__(
        self, make: Callable[[], T], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._clock = clock
        self._until = float("-inf")
        self._made: list[T] = []
        self._error: DeployError | None = None

    def __call__(self) -> T:
        """It.

        Raises:
            DeployError: what ``make`` raised when it was asked last.
        """
        if self._clock() >= self._until:
            self._made, self._error = [], None
            try:
                self._made = [self._make()]
            except DeployError as error:
                self._error = error
            self._until = self._clock() + self._seconds
        if self._error is not None:
            raise self._error
        return self._made[0]
