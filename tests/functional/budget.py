"""Counts what a small release asks of the kernel and of Salt, and prints it as JSON.

``python budget.py DIRECTORY``: run as a process of its own, since it counts all that this process does. One whole deploy,
with the master's own spine and the stages of real hosts, without Salt (``tests/unit/protocol/whole_deploys.py``): what Salt
adds to it are the forks of its jobs and what ``salt-run`` loads.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saltdeploy.config import upfront

upfront.load(upfront.DEPLOY)
MASTER_MODULES = {name for name in sys.modules if name.partition(".")[0] == "saltdeploy"}

from tests.support.repositories import FILE, Entry, Source  # noqa: E402 - what a deploy loads is counted first
from tests.unit.protocol.whole_deploys import Fleet, Minion  # noqa: E402

HOSTS = ("web1", "web2", "web3")
FILES, CHANGED = 400, 20
RELEASES = 6  # the first ones fill the slots
MASTER, HOST = "master", "host"


class Counts:
    """How often each side has done what; a side is who acts now."""

    def __init__(self) -> None:
        self.side = MASTER
        self.done: dict[str, Counter[str]] = {MASTER: Counter(), HOST: Counter()}
        sys.addaudithook(self._hear)
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._counted(getattr(os, name)))

    def clear(self) -> None:
        self.done = {MASTER: Counter(), HOST: Counter()}

    def add(self, what: str) -> None:
        self.done[self.side][what] += 1

    def _counted(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        def counted(fd: Any) -> None:
            self.add("fsyncs")
            act(fd)

        return counted

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.fork":
            self.add("forks")
        elif event in ("subprocess.Popen", "os.posix_spawn"):
            program = os.path.basename(os.fsdecode(arguments[0] or arguments[1][0]))
            self.add("git processes" if program == "git" else "other processes")


def main() -> None:
    counts = Counts()
    fleet = Fleet(Path(sys.argv[1]), _source(Path(sys.argv[1], "source")), HOSTS)
    do, publish = Minion.do, fleet.publish

    def counted_do(minion: Minion, *arguments: Any) -> Any:
        counts.side = HOST
        counts.add("jobs")
        try:
            return do(minion, *arguments)
        finally:
            counts.side = MASTER

    def counted_publish(*arguments: Any, **named: Any) -> None:
        counts.add("requests")
        publish(*arguments, **named)

    Minion.do = counted_do  # type: ignore[method-assign]
    fleet.publish = counted_publish  # type: ignore[method-assign]
    for number in range(RELEASES):
        counts.clear()
        report = fleet.sync(f"v{number}")
        assert report.outcome.word == "CONVERGED", report
    per_host = {name: count / len(HOSTS) for name, count in counts.done[HOST].items()}
    print(json.dumps({"modules": len(MASTER_MODULES), MASTER: counts.done[MASTER], HOST: per_host}))


def _source(directory: Path) -> Source:
    """Releases of a small tree, each of which changes some files of it."""
    chance = random.Random(1)
    tree = {b"lib/%d/%d" % (n % 20, n): Entry(FILE, chance.randbytes(2000)) for n in range(FILES)}
    releases = [tree]
    for _ in range(RELEASES - 1):
        changed = chance.sample(sorted(tree), CHANGED)
        releases.append({**releases[-1], **{path: Entry(FILE, chance.randbytes(2000)) for path in changed}})
    return Source(directory, *releases)


if __name__ == "__main__":
    main()
