"""Why hosts failed, in few lines: of those that fail alike the first is told at once, the others later and together."""

from __future__ import annotations

from saltdeploy.watch.notes import Failure
from saltdeploy.watch.text import some

_MOST = 20  # causes that are told


class FoldedFailures:
    """The failures of one deploy.

    Attributes:
        causes: how many different ones there were.
    """

    def __init__(self) -> None:
        self.causes = 0
        self._alike: dict[tuple[str, str], list[str]] = {}

    def is_new(self, failure: Failure) -> bool:
        """Take in a failure; whether it is to be told now."""
        key = (failure.stage, failure.cause)
        if key in self._alike:
            self._alike[key].append(failure.host)
            return False
        self._alike[key] = []
        self.causes += 1
        return self.causes <= _MOST

    def together(self) -> list[str]:
        """A line for each cause that more hosts had, since this was asked last."""
        lines = [f"{some(names)}: the same: {cause}" for (_, cause), names in self._alike.items() if names]
        for names in self._alike.values():
            names.clear()
        return lines

    @property
    def untold(self) -> str:
        """That there were more causes; "" where there were not."""
        more = self.causes - _MOST
        return f"{more} more failures; all of them are in the deploy's result" if more > 0 else ""
