"""Runs every sink of the pillar in a process of its own: one that hangs, lies or dies holds up nobody else."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.signals import kinds
from saltdeploy.watch.signals.courier import Courier
from saltdeploy.watch.signals.hooks import Execute
from saltdeploy.watch.signals.metrics import Exposition, Metrics, Standing
from saltdeploy.watch.signals.positions import FromTheBegin, Positions
from saltdeploy.watch.signals.sink import SinkSettings
from saltdeploy.watch.signals.totals import Keeping, nothing_kept

PROMETHEUS = "prometheus"

_READ_EVERY = 60.0  # seconds between two looks into the pillar
_FAREWELL = 5.0  # seconds that a process may take to end
_NICE = 10
_AGAIN = 30.0  # seconds before a sink that could not begin, or died, is begun again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """What sinks need of the master.

    Attributes:
        journals: makes, for one sink, what gives the journals that may have news, oldest first.
        positions: sink -> how far it has been told each.
        execute: calls an execution function.
        standing: tells how the repos stand.
        totals: gives a sink what keeps its counts.
    """

    journals: Callable[[], Callable[[], Iterable[Path]]]
    positions: Callable[[str], Positions]
    execute: Execute
    standing: Callable[[], list[Standing]]
    totals: Keeping = nothing_kept


class Office:
    """The processes of all sinks; they end with the process that holds this.

    Args:
        world: what they need.
        read: reads the settings; None where they cannot be read now, and what was known goes on.
    """

    def __init__(self, world: World, read: Callable[[], list[SinkSettings] | None]) -> None:
        self._world = world
        self._read = read
        self._wanted: dict[str, SinkSettings] = {}
        self._running: dict[str, tuple[SinkSettings, ForkProcess]] = {}
        self._not_before: dict[str, float] = {}
        self._read_at = 0.0

    def look(self) -> None:
        """Read the pillar where that is due, end what is not wanted any more, begin what is missing."""
        if time.monotonic() >= self._read_at:
            found = self._read()
            if found is not None:
                self._wanted = {one.name: one for one in found}
            self._read_at = time.monotonic() + _READ_EVERY
        self._end()
        self._begin_missing()

    def _end(self) -> None:
        for name, (settings, process) in list(self._running.items()):
            if self._wanted.get(name) != settings:
                process.terminate()
                process.join(_FAREWELL)
                del self._running[name]
            elif not process.is_alive():
                self._not_before[name] = time.monotonic() + _AGAIN
                del self._running[name]

    def _begin_missing(self) -> None:
        for name, settings in self._wanted.items():
            if name not in self._running and time.monotonic() >= self._not_before.get(name, 0.0):
                self._running[name] = (settings, self._begin(settings))

    def _begin(self, settings: SinkSettings) -> ForkProcess:
        fork = multiprocessing.get_context("fork")
        name = f"deploy-signals-{settings.name}"
        process = fork.Process(
            target=attend, args=(settings, self._world, os.getpid()), name=name, daemon=True
        )
        process.start()
        return process


def attend(settings: SinkSettings, world: World, parent: int) -> None:
    """Serve one sink for as long as the process ``parent`` lives.

    It returns where the sink cannot begin: the log says why. It yields to everybody who deploys.
    """
    os.nice(_NICE)
    try:
        look = _counting(settings, world) if settings.kind == PROMETHEUS else _telling(settings, world)
    except (DeployError, OSError) as error:
        log.error("signals:%s: %s", settings.name, error)
        return
    log.info("signals:%s: %s is told what deploys do.", settings.name, settings.kind)
    while os.getppid() == parent:
        try:
            wait = look()
        except Exception:  # noqa: BLE001 - a damaged file of one deploy must not end it for all
            log.exception("signals:%s is not told.", settings.name)
            wait = _AGAIN
        time.sleep(wait)


def _telling(settings: SinkSettings, world: World) -> Callable[[], float]:
    sink = kinds.make(settings, world.execute)
    return Courier(settings, sink, world.positions(settings.name), world.journals()).look


def _counting(settings: SinkSettings, world: World) -> Callable[[], float]:
    metrics = Metrics(world.standing, kept=world.totals(settings.name))
    courier = Courier(settings, metrics, FromTheBegin(), world.journals())
    courier.look()  # whoever asks first must not see counts that only grow
    address, port = str(settings.options["address"]), int(str(settings.options["port"]))
    exposition = Exposition(metrics, address, port, str(settings.options["textfile"]))
    missed = False

    def look() -> float:
        nonlocal missed
        wait = courier.look()
        exposition.keep(time.monotonic())
        try:
            if exposition.write(time.monotonic()):
                missed = False
        except DeployError as error:
            if not missed:
                log.warning("signals:%s: %s", settings.name, error)
            missed = True
        return wait

    return look
