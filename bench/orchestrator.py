"""Measure what a deploy to many hosts costs the master's process itself: processor time and memory.

The fleet is simulated (``tests.unit.master.simulation``), everything else is real: conductor, course, journal. What
the simulation itself takes is measured apart and left out.

Usage::

    python3 -m bench.orchestrator [--hosts N ...] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from bench import CHECKOUT

sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "_utils")]

from saltdeploy.master.rollout.model import Rules  # noqa: E402 - after the path
from saltdeploy.master.waves import Wave  # noqa: E402

from tests.unit.master.simulated_deploys import SimulatedDeploy  # noqa: E402
from tests.unit.master.simulation import Habits, Simulation  # noqa: E402

#: name: what befalls the fleet, and the share of it that switches at once
CASES = {
    "all is well, all at once": (Habits(), 1.0),
    "all is well, 5 % at once": (Habits(), 0.05),
    "slow hosts, 10 % at once": (Habits(slow=30.0), 0.1),
    "lost messages, 10 % at once": (Habits(lose=0.05, slow=5.0), 0.1),
}
STAGES = 2


class Metered(Simulation):
    """A simulation that knows how much time it took itself, and looks now and then at the memory of the others."""

    own = 0.0
    most = 0  # bytes

    def _metered(self, act: Any, *arguments: Any) -> Any:
        began = time.process_time()
        try:
            return act(*arguments)
        finally:
            self.own += time.process_time() - began

    def next(self, wait: float) -> Any:
        return self._metered(super().next, wait)

    def publish(self, *arguments: Any) -> None:
        self._metered(super().publish, *arguments)
        if tracemalloc.is_tracing() and len(self.jids) % 20 < 2:
            self.most = max(self.most, in_use())

    def fire(self, *arguments: Any) -> None:
        """Salt's bus takes it; nobody keeps it."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    options = parser.parse_args()
    print(
        f"{'fleet':30} {'hosts':>6} {'end':>18} {'jobs':>6} {'ms per host and stage':>22} {'KB per host':>12}"
    )
    for name, (habits, share) in CASES.items():
        for hosts in options.hosts:
            end, jobs, cpu = deploy(hosts, habits, share, options.profile)
            print(f"{name:30} {hosts:6} {end:>18} {jobs:6} {1000 * cpu / hosts / STAGES:22.3f}", end=" ")
            print(f"{memory(hosts, habits, share) / hosts / 1024:12.1f}", flush=True)
    return 0


def prepare(root: Path, hosts: int, habits: Habits, share: float) -> SimulatedDeploy:
    """A deploy that forgives every failure, so that it goes its whole way."""
    world = Metered(1, [f"web{number:05}.example.org" for number in range(hosts)], habits)
    window = max(1, int(share * hosts))
    waves = (Wave("", "", tuple(world.minions), window, hosts),)
    return SimulatedDeploy(root, world, waves, Rules())


def deploy(hosts: int, habits: Habits, share: float, profile: bool) -> tuple[str, int, float]:
    """How it ended, how many jobs were published, and seconds of processor time."""
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory() as directory:
        task = prepare(Path(directory), hosts, habits, share)
        world = task.world
        if profile:
            profiler.enable()
        began = time.process_time()
        end = task.run()
        cpu = time.process_time() - began - world.own
        profiler.disable()
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(30)
    return str(end), len(world.jids), cpu


def memory(hosts: int, habits: Habits, share: float) -> float:
    """Bytes that the master's side needs at most, beyond what it had before; the fleet's own are left out."""
    with tempfile.TemporaryDirectory() as directory:
        task = prepare(Path(directory), hosts, habits, share)
        tracemalloc.start()
        task.run()
        most = max(task.world.most, in_use())
        tracemalloc.stop()
    return most


def in_use() -> int:
    """Bytes in use that were not taken by the simulation or by this benchmark."""
    gc.collect()
    others = [
        tracemalloc.Filter(False, name) for name in ("*/master/simulation.py", __file__, "*/tracemalloc.py")
    ]
    return sum(each.size for each in tracemalloc.take_snapshot().filter_traces(others).statistics("filename"))


if __name__ == "__main__":
    sys.exit(main())
