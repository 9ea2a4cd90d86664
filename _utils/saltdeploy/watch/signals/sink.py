"""What takes signals, and what all that do have in common."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.signals.signal import Notification


class Sink(Protocol):
    """Takes signals, one after the other."""

    def tell(self, signal: Notification) -> None:
        """Bring one there; nothing where it has no meaning there.

        Raises:
            Refused: it will never be taken.
            DeployError: it cannot be brought now.
        """


class Refused(DeployError):
    """The receiver is there and does not want this one signal: to ask again leads nowhere."""

    kind = "signal-refused"


@dataclass(frozen=True)
class SinkSettings:
    """One entry of ``deployment_config:signals``.

    Attributes:
        name: its key.
        kind: what it is: ``irc``, ``webhook`` and so on.
        repos: whose signals it gets; empty for all.
        on: the kinds of signals that it gets.
        late: seconds after which a signal is news no more and is left out.
        options: what belongs to its kind. No text of this program shows them: there are secrets among them.
    """

    name: str
    kind: str
    repos: tuple[str, ...]
    on: tuple[str, ...]
    late: float
    options: dict[str, object] = field(default_factory=dict, repr=False)

    def wants(self, signal: Notification, now: float) -> bool:
        """Whether it is told this one at this moment, in seconds since the epoch."""
        return (
            (not self.repos or signal.repo in self.repos)
            and signal.kind in self.on
            and now - signal.time <= self.late
        )


def without(text: str, secrets: Collection[str]) -> str:
    """A text in which none of these stands."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text
