"""What ``transport: auto`` chooses for releases of real repositories, and what that costs beside ``bundle``.

For each repository, each step from an older release to a newer one, and each link: the master's own chooser
(``TransportChooser``) decides with nothing packed yet, which is timed with all that it packs to decide; a bundle alone is
packed and timed beside it, each in a directory of its own. Packing is timed as processor time of the master, git included,
which a busy machine changes least. What comes over the link is reckoned from true sizes, and what
unpacking takes beyond a bundle from the table in ``config/transports.py``.

Usage::

    python3 -m bench choice --repositories PATH,PATH [--steps old..new,..new]

A step without an older release is a first install; by default the last five releases are steps of one, and there is one
big step and a first install. Releases are what ``git tag`` sorts as versions, without those of other names than most.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.checks import CheckContext
from saltdeploy.config import transports
from saltdeploy.git.repository import Repository
from saltdeploy.master.context import Master
from saltdeploy.master.payloads import packing, source
from saltdeploy.master.planning import transport_cost
from saltdeploy.master.planning.transport_choice import TransportChooser, needed
from saltdeploy.protocol.holdings import YOUNG, Holdings
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release

from bench.results import machine
from bench.tables import seconds, size, table

#: Name to what stands in the pillar.
LINKS: dict[str, dict[str, Any]] = {
    "1 Gbit/s, 0.5 ms": {"rate": "125MB", "rtt": "0.5ms"},
    "100 Mbit/s, 20 ms": {"rate": "12.5MB", "rtt": "20ms"},
    "10 Mbit/s, 80 ms": {"rate": "1.25MB", "rtt": "80ms"},
    "1 Mbit/s, 80 ms": {"rate": "125KB", "rtt": "80ms"},
}
WORSE = 1.05  # times a bundle, which is not to be exceeded
_TOLD = 0.1  # seconds; less is told apart by nobody, and by no clock of processor time
_REPO = "choice"


@dataclass(frozen=True)
class Decided:
    """One step over one link.

    Attributes:
        transport, why: what was chosen.
        bytes, bundle_bytes: that a host receives.
        took, bundle_took: seconds, all told.
    """

    repository: str
    step: str
    link: str
    transport: str
    why: str
    bytes: int
    bundle_bytes: int
    took: float
    bundle_took: float

    @property
    def ratio(self) -> float:
        return self.took / self.bundle_took

    @property
    def is_worse(self) -> bool:
        return self.ratio > WORSE and self.took - self.bundle_took > _TOLD

    @property
    def is_better(self) -> bool:
        return self.ratio < 1 / WORSE and self.bundle_took - self.took > _TOLD


def main(options: argparse.Namespace, directory: Path) -> int:
    """Print the table; 1 where the choice is worse than a bundle by more than is allowed."""
    out = directory / "results" / "choice"
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in options.repositories.split(","):
        repository = Path(path)
        for old, new in _steps(repository, options.steps):
            for link in LINKS:
                with tempfile.TemporaryDirectory(prefix="deploy-choice-", dir=directory) as work:
                    rows.append(_decide(repository, old, new, link, Path(work)))
    text = report(rows)
    print(text)
    (out / "table.md").write_text(text)
    return 1 if any(row.is_worse for row in rows) else 0


def _steps(repository: Path, said: str) -> list[tuple[str, str]]:
    if said:
        return [(old, new) for old, _, new in (step.partition("..") for step in said.split(","))]
    tags = _releases(repository)
    near = list(zip(tags[-6:-1], tags[-5:], strict=True))[::2]
    return [*near, (tags[len(tags) // 2], tags[-1]), ("", tags[-1])]


def _releases(repository: Path) -> list[str]:
    """Tags of the form that most tags have, in the order of versions."""
    words = ["git", f"--git-dir={repository}", "tag", "--sort=version:refname"]
    tags = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    forms = collections.Counter(re.sub(r"\d+", "0", tag) for tag in tags)
    usual = forms.most_common(1)[0][0]
    return [tag for tag in tags if re.sub(r"\d+", "0", tag) == usual]


def _decide(repository: Path, old: str, new: str, link: str, work: Path) -> Decided:
    origin = Repository(repository)
    tag, base = origin.tag(new), origin.tag(old).commit if old else ""
    held = Holdings(live=base, held=(base,) if base else (), programs=transports.programs(), knows=YOUNG)
    bundle_took, bundle_bytes = _bundle(_World(repository, link, work / "bundle"), new, held)
    world = _World(repository, link, work / "auto")
    began = _processor()
    chooser = TransportChooser(world.repo, world.source, tag, {"host": held}, world.master)
    transport, why = chooser.choose("host")
    received, count = world.pack(transport, new, held)
    took = _processor() - began
    wire, files = world.repo.delivery.link, sum(origin.sizes(tag.commit))
    chosen = transport_cost.packed(transport, received, count, files)
    bundle = transport_cost.packed(transports.DEFAULT, bundle_bytes, 1, files)
    return Decided(
        repository.parent.name if repository.name == "repo" else repository.name,
        f"{old or 'nothing'} → {new}",
        link,
        transport,
        why,
        received,
        bundle_bytes,
        took + chosen.coming(wire) + chosen.unpacking,
        bundle_took + bundle.coming(wire),
    )


def _bundle(world: _World, new: str, held: Holdings) -> tuple[float, int]:
    """Seconds until a bundle is packed, and its bytes."""
    began = _processor()
    received, _ = world.pack(transports.DEFAULT, new, held)
    return _processor() - began, received


class _World:
    """A master's directory and a repo with one link; nobody is asked anything."""

    def __init__(self, repository: Path, link: str, root: Path) -> None:
        keys = {"location": "/srv/choice", "source": str(repository)}
        pillar = {"deployment_config": {"links": {"default": LINKS[link]}}, "repo_config": {_REPO: keys}}
        self.repo = config.load(pillar, _REPO)
        self.source = source.Source(self.repo, root)
        self.master = Master(
            root=root,
            bus=None,  # type: ignore[arg-type] - nobody is asked
            store=None,  # type: ignore[arg-type] - nothing is kept
            targets=lambda expression, kind: [],
            accepted=_nobody,
            secret=_nobody,
            user="bench",
            place=CheckContext(_nobody, _nobody),
        )

    def pack(self, transport: str, new: str, held: Holdings) -> tuple[int, int]:
        """Bytes and files that a host with this receives."""
        tag = self.source.repository.tag(new)
        order = Order("pin", 0, FETCH, Release(_REPO, new, tag.commit), transport)
        return needed(packing.pack(order, self.repo, self.source, self.master.payloads, tag, [held]), held)


def _processor() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _nobody(*_: object) -> Any:
    raise AssertionError("nobody is asked")


def report(rows: Sequence[Decided]) -> str:
    """The table, and what follows from it."""
    head = ("repository, step", "link", "auto", "bytes", "bundle", "s", "bundle, s", "ratio")
    lines = [
        (
            f"{row.repository} {row.step}",
            row.link,
            row.transport,
            size(row.bytes),
            size(row.bundle_bytes),
            seconds(row.took),
            seconds(row.bundle_took),
            f"{row.ratio:.2f}",
        )
        for row in rows
    ]
    worse = [row for row in rows if row.is_worse]
    better = [row for row in rows if row.is_better]
    told = f"{len(rows)} choices; {len(better)} better than a bundle by more than 5 % and 0.1 s, {len(worse)} worse by that"
    middle = statistics.median(row.ratio for row in rows)
    return f"{machine()}\n\n{table(head, lines)}\n{told}; ratio in the middle {middle:.2f}.\n"
