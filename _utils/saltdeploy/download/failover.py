"""A carrier made of carriers: the next one is asked when one is dead, slow, or serves something else.

What each one brought is checked by its digest before the next one is let off, so it is known who served corrupt
bytes. The last carrier is the master by Salt's channel: a fleet without any fanout knows only that one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.content import payloads
from saltdeploy.content.payloads import Downloader
from saltdeploy.git.repository import Progress
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, DeployError, Unavailable
from saltdeploy.lib.text import public
from saltdeploy.protocol.orders import Payload

log = logging.getLogger(__name__)

_LONGEST = 300  # characters of a fact


@dataclass(frozen=True)
class DownloadSource:
    """A carrier among others.

    Attributes:
        name: as operators know it: a URL, ``master``.
        why: why it is asked, and asked now.
        told: what there is to say instead when it has served.
    """

    name: str
    why: str
    carrier: Downloader
    told: Callable[[], str] = str


@dataclass
class Failover:
    """See the module.

    Args:
        suppliers: gives them in the order in which they are asked, and is asked only as far as it must be.
        place: where what has come of a payload lies under its sha256, also when we are killed: the next one to fetch
            it goes on from there. Nobody else uses this directory meanwhile.
        wanted: names of payloads that may be asked for; what is left of any other is deleted.

    Attributes:
        asked: whether anything was fetched.
        received: bytes that came, the useless ones as well.
        served: who served last.
        left: who was left, and why.
    """

    suppliers: Callable[[Payload], Iterable[DownloadSource]]
    place: Path
    wanted: frozenset[str] = frozenset()
    asked: bool = False
    received: int = 0
    served: DownloadSource | None = None
    left: dict[str, str] = field(default_factory=dict)

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Write the payload's bytes to ``destination``; their digest is right.

        Raises:
            Unavailable, Corrupt: the last one's reason; the cause names those before as well.
        """
        self.asked, self.served = True, None
        partial = self._partial(payload)
        last: DeployError | None = None
        for supplier in self.suppliers(payload):
            if self._is_corrupt(supplier):
                continue
            try:
                self._fetch_from(supplier, payload, partial, progress)
            except (Unavailable, Corrupt) as error:
                self.left[supplier.name] = _short(error)
                log.info("%s is left: %s", public(supplier.name), public(error.cause))
                last = error
                continue
            except OSError:  # our own disk, which the partial file may have filled
                partial.unlink(missing_ok=True)
                raise
            log.debug("payload %s came from %s (%s)", payload.sha256, public(supplier.name), supplier.why)
            self.served = supplier
            os.replace(partial, destination)
            return
        raise self._explained(last, payload)

    def facts(self) -> dict[str, Any]:
        """What the stage's answer tells: ``bytes``, ``source``, ``why``, ``left``; nothing when nothing was fetched."""
        if not self.asked:
            return {}
        found: dict[str, Any] = {"bytes": self.received}
        if self.served is not None:
            found |= {
                "source": self.served.name[:_LONGEST],
                "why": (self.served.told() or self.served.why)[:_LONGEST],
            }
        return {**found, "left": self._who_was_left()[:_LONGEST]} if self.left else found

    def _fetch_from(
        self, supplier: DownloadSource, payload: Payload, partial: Path, progress: Progress
    ) -> None:
        resumed = partial.exists()
        counted = self._counted(partial, progress)
        supplier.carrier.fetch(payload, partial, counted)
        try:
            payloads.check(partial, payload)
        except Corrupt:
            if not resumed:
                raise
            supplier.carrier.fetch(payload, partial, counted)  # the begin may have been somebody else's
            payloads.check(partial, payload)

    def _counted(self, partial: Path, progress: Progress) -> Progress:
        last = partial.stat().st_size if partial.exists() else 0

        def tell(phase: str, done: int, total: int, unit: str) -> None:
            nonlocal last
            self.received += done - last if done >= last else done  # it started again
            last = done
            progress(phase, done, total, unit)

        return tell

    def _partial(self, payload: Payload) -> Path:
        """Where this payload grows; what is left of others will not be asked for again."""
        self.place.mkdir(parents=True, exist_ok=True)
        for path in self.place.iterdir():
            if path.name not in {payload.sha256, *self.wanted}:
                disk.remove_tree(path)
        return self.place / payload.sha256

    def _is_corrupt(self, supplier: DownloadSource) -> bool:
        return self.left.get(supplier.name, "").startswith(_CORRUPT)

    def _who_was_left(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in self.left.items())

    def _explained(self, last: DeployError | None, payload: Payload) -> DeployError:
        if last is None:
            return Unavailable(f"nobody is left who could serve payload {payload.sha256}")
        if len(self.left) > 1:
            last.cause = f"{last.cause} (all were asked: {self._who_was_left()})"
        return last


_CORRUPT = "corrupt"


def _short(error: DeployError) -> str:
    return f"{_CORRUPT}: {error.cause}" if isinstance(error, Corrupt) else error.cause
