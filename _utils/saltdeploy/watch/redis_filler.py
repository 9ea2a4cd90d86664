"""Fills redis from the journals, and keeps it filled: what it misses while it is away it gets when it is back.

How far each journal was read stands in redis itself, and changes in the same transaction as the keys. So a server that
is restored from an old copy, or emptied, gets exactly what it lacks, and nothing twice. Whoever deploys waits for none of
this: it happens in a process of its own, which only reads the journals.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.carried import Carried
from saltdeploy.watch.redis_keys import Command, Projection
from saltdeploy.watch.redis_server import RedisServer

POSITIONS = "saltdeploy:journals"
SERIAL = "saltdeploy:serial"
_FORGOTTEN = "saltdeploy:forgotten"

_AT_ONCE = 500  # events in one transaction
_LOOK_EVERY = 0.5  # seconds
_MOST_PATIENCE = 30.0  # seconds between two attempts to reach a server that is away

log = logging.getLogger(__name__)


class RedisFiller:
    """Brings journals into redis.

    Args:
        server: the redis.
        journals: gives the journals there are, oldest first; where it says by ``are_all`` that it did not, those that may have news.
        forgotten: gives host -> moment up to which nothing of it is wanted, as ``deploy.forget`` has noted.
    """

    def __init__(
        self,
        server: RedisServer,
        journals: Callable[[], Iterable[Path]],
        forgotten: Callable[[], Mapping[str, float]],
    ) -> None:
        self._server = server
        self._journals = journals
        self._forgotten = forgotten
        self._gone: dict[str, float] = {}
        self._serial: int | None = None
        self._read: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._carried = Carried(self._new)
        self._wait = 0.0

    def look(self) -> float:
        """Bring over what is new.

        Returns:
            Seconds until the next look: few, or more and more while redis does not answer.
        """
        try:
            self.fill()
        except DeployError as error:
            if not self._wait:
                log.warning("%s", error)
            self._serial = None
            self._wait = min(max(_LOOK_EVERY, 2 * self._wait), _MOST_PATIENCE)
            return self._wait
        if self._wait:
            log.warning("%s is back, and holds what the journals tell.", self._server.settings.place)
        self._wait = 0.0
        return _LOOK_EVERY

    def fill(self) -> None:
        """Bring over all that redis lacks.

        Raises:
            DeployError: redis does not take it.
        """
        self._see_where_it_stands()
        self._forget()
        present = list(self._journals())
        if getattr(self._journals, "are_all", True):
            self._forget_journals({path.stem for path in present})
        for path in present:
            with contextlib.suppress(
                FileNotFoundError
            ):  # a deploy that is too old has been deleted meanwhile
                self._bring(path)

    def _see_where_it_stands(self) -> None:
        """Somebody may have emptied it, or restored an older copy, since the last look."""
        serial = int(self._server.text(SERIAL) or 0)
        if serial != self._serial:
            self._read = {name: int(at) for name, at in self._server.table(POSITIONS).items()}
            self._sizes, self._serial, self._gone = {}, serial, {}
            self._carried.clear()

    def _forget(self) -> None:
        gone = dict(self._forgotten())
        for host, moment in gone.items():
            if self._gone.get(host) != moment and not self._was_brought(host, moment):
                self._server.forget(host)
                self._write([("HSET", _FORGOTTEN, host, repr(moment))])
        if gone != self._gone:
            self._gone = gone
            self._carried.clear()

    def _forget_journals(self, present: Collection[str]) -> None:
        """Of journals that ``deploy.gc`` has deleted nothing has to be known."""
        gone = sorted(set(self._read) - set(present))
        for at in range(0, len(gone), _AT_ONCE):
            self._write([("HDEL", POSITIONS, *gone[at : at + _AT_ONCE])])
        for name in gone:
            del self._read[name]

    def _was_brought(self, host: str, moment: float) -> bool:
        return self._server.table(_FORGOTTEN).get(host) == repr(moment)

    def _bring(self, path: Path) -> None:
        name, size = path.stem, path.stat().st_size
        at = self._read.get(name, 0)
        if size <= at or self._sizes.get(name) == size:
            return
        told = self._carried.following(path, at)
        while batch := list(islice(told, _AT_ONCE)):
            commands = [command for event, _, projection in batch for command in projection.hear(event)]
            _, at, projection = batch[-1]
            self._write([*commands, ("HSET", POSITIONS, name, at)])
            self._read[name] = at
            self._carried.keep(path, at, projection)
        self._sizes[name] = size

    def _new(self) -> Projection:
        return Projection(self._gone, self._server.settings.most_events)

    def _write(self, commands: list[Command]) -> None:
        following = (self._serial or 0) + 1
        self._serial = None  # an error leaves nothing that we may rely on
        self._server.write([*commands, ("INCRBY", SERIAL, 1)])
        self._serial = following
