"""Brings the signals of all journals to one sink: each once, in order, and later where the sink is away.

Nobody who deploys waits for it: it reads journals, in a process and a thread of its own.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from saltdeploy.lib.errors import DeployError
from saltdeploy.protocol import events
from saltdeploy.watch.carried import Carried
from saltdeploy.watch.signals.positions import Positions
from saltdeploy.watch.signals.signal import Notification, Teller
from saltdeploy.watch.signals.sink import Refused, Sink, SinkSettings

_LOOK_EVERY = 0.5  # seconds
_MOST_PATIENCE = 60.0  # seconds between two attempts to reach a sink that is away

log = logging.getLogger(__name__)


class Courier:
    """Serves one sink.

    Args:
        settings: what it is told.
        sink: takes it.
        positions: how far it has been told.
        journals: gives the journals there are the first time, then those that may have news; oldest first.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        settings: SinkSettings,
        sink: Sink,
        positions: Positions,
        journals: Callable[[], Iterable[Path]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._positions = positions
        self._journals = journals
        self._now = now
        self._carried: Carried[Teller] = Carried(Teller)
        self._sizes: dict[str, int] = {}
        self._wait = 0.0
        found = {path.stem: path for path in journals()}
        positions.load(found.values())
        self._due = found  # and what a look that failed has left
        self._seen = dict(found)

    def look(self) -> float:
        """Bring over what is new.

        Returns:
            Seconds until the next look: few, or more and more while the sink does not take anything.
        """
        try:
            self.bring()
        except (DeployError, OSError) as error:
            if not self._wait:
                log.warning("signals:%s: %s", self._settings.name, error)
            self._carried.clear()
            self._sizes.clear()
            self._wait = min(max(_LOOK_EVERY, 2 * self._wait), _MOST_PATIENCE)
            return self._wait
        if self._wait:
            log.warning("signals:%s is back, and was told what it had missed.", self._settings.name)
        self._wait = 0.0
        return _LOOK_EVERY

    def bring(self) -> None:
        """Bring over all that the sink has not been told.

        Raises:
            DeployError: it does not take it now.
        """
        found = {path.stem: path for path in self._journals()}
        self._due |= found
        if found.keys() - self._seen.keys():
            self._forget_deleted(found)
        for name, path in list(self._due.items()):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile, since the deploy is too old
                self._bring(path)
            del self._due[name]

    def _forget_deleted(self, found: dict[str, Path]) -> None:
        """With each new deploy: of journals that ``deploy.gc`` has deleted, nothing has to be known any more."""
        self._seen = {name: path for name, path in (self._seen | found).items() if path.exists()}
        self._positions.forget(self._seen.values())

    def _bring(self, path: Path) -> None:
        name, size = path.stem, path.stat().st_size
        if size <= self._positions.of(name) or self._sizes.get(name) == size:
            return
        ended = False
        for event, end, teller in self._carried.following(path, self._positions.of(name)):
            signals = [one for one in teller.hear(event) if self._settings.wants(one, self._now())]
            for signal in signals:
                self._tell(signal)
            self._positions.move(name, end, keep=bool(signals))
            self._carried.keep(path, end, teller)
            ended = event["event"] == events.FINISHED
        if ended:
            self._carried.drop(path)
        self._sizes[name] = size

    def _tell(self, signal: Notification) -> None:
        try:
            self._sink.tell(signal)
        except Refused as error:
            log.warning(
                "signals:%s: %s: %s is left out: %s", self._settings.name, signal.repo, signal.id, error
            )
