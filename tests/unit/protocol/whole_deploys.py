"""Whole deploys without Salt: the master's own spine, and the stages of real hosts at the other end of its bus."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
from saltdeploy import config
from saltdeploy.checks import CheckContext, Response
from saltdeploy.lib import disk
from saltdeploy.master import deploy
from saltdeploy.master.context import Master
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder, scope_of
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.planning import preview
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.secret import master_secret
from saltdeploy.master.upkeep import preseed
from saltdeploy.minion import preseed as minion_preseed
from saltdeploy.minion import stages, untracked
from saltdeploy.minion.context import Host, Task
from saltdeploy.protocol.orders import ROLLBACK, Order
from saltdeploy.protocol.result import Result, secret_for

from tests.support.repositories import Source, snapshot
from tests.support.targets import Copies
from tests.unit.master.masters import NOON

REPO = "demo/site"


class LocalCache:
    """A store that writes what Salt's ``localfs`` writes: ``<bank>/<key>.p``, a msgpack map."""

    def __init__(self, cachedir: Path) -> None:
        self._cachedir = cachedir

    def fetch(self, bank: str, key: str) -> Any:
        file = self._file(bank, key)
        return msgpack.unpackb(file.read_bytes()) if file.exists() else {}

    def store(self, bank: str, key: str, data: Any) -> None:
        self._file(bank, key).parent.mkdir(parents=True, exist_ok=True)
        self._file(bank, key).write_bytes(msgpack.packb(data))

    def list(self, bank: str) -> list[str]:
        return [path.stem for path in (self._cachedir / bank).glob("*.p")]

    def flush(self, bank: str, key: str | None = None) -> None:
        if key is None:
            disk.remove_tree(self._cachedir / bank)
        else:
            self._file(bank, key).unlink(missing_ok=True)

    def _file(self, bank: str, key: str) -> Path:
        return self._cachedir / bank / f"{key}.p"


class Minion:
    """One host: a cache directory, a live path, and the stages that it is asked for."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.name = name
        self.cache = fleet.place / name / "cache" / "deploy"
        self.location = fleet.place / name / "srv" / fleet.repo.rpartition("/")[2]
        self.cache.mkdir(parents=True, exist_ok=True)
        self.location.parent.mkdir(parents=True, exist_ok=True)
        self._fleet = fleet
        self.repo = fleet.config(self.location)
        self.host = Host(
            name=name,
            cache=self.cache,
            carrier=Copies(fleet.master.payloads),
            send=lambda tag, data: fleet.look(),
            call=lambda function, arguments, keywords: True,
            clock=fleet.now,
            get=self._look_and_answer,
        )

    def _look_and_answer(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self._fleet.look()
        return Response(200)

    def do(self, function: str, arguments: list[Any], jid: str) -> dict[str, Any]:
        """What ``_modules/deploy.py`` does with a job of the master's."""
        answer = dataclasses.replace(self._answer(function, arguments), job=jid)
        return answer.to_wire(self._fleet.master.secret(self.name))

    def _answer(self, function: str, arguments: list[Any]) -> Result:
        if function == "deploy.status":
            return stages.status(self.repo, self.host)
        if function == "deploy.untracked":
            found = untracked.asked(self.repo, *arguments[1:] or [""])
            return stages.with_facts(stages.status(self.repo, self.host), **found)
        if function == "deploy.result":
            deploy_id, stage, _, attempt = arguments
            known = stages.result(deploy_id, stage, self.repo, self.host, attempt)
            here = known or stages.status(self.repo, self.host)
            return stages.with_facts(here, known=known is not None, running=False)
        order = Order.from_wire(arguments[1]["order"])
        if function == "deploy.preseed":
            return minion_preseed.preseed(order, self.repo, self.host)
        return stages.run([Task(order, self.repo)], self.host)


class Fleet:
    """A master and its hosts, in one process; the master's bus is this.

    Args:
        repo: its name; one more fleet in the same place is another repo of the same master and hosts.
        keys: of the repo's section of the pillar.

    Attributes:
        root: the master's directory for deploys.
        seen: every file that was there at some moment; see :meth:`look`.
    """

    def __init__(
        self,
        place: Path,
        source: Source,
        /,
        hosts: tuple[str, ...] = ("web1", "web2"),
        repo: str = REPO,
        **keys: Any,
    ):
        self.place, self.source, self.repo = place, source, repo
        self.root = place / "master" / "deploy"
        self.root.mkdir(parents=True, exist_ok=True)
        self.seen: set[str] = set()
        self._keys = {"source": f"file://{source.git_dir}", "targets": "web*", **keys}
        self._clock = NOON
        self._last = -1
        first = 20_261_123_120_000_000_000 + (0 if repo == REPO else 500_000)
        self._jids = (f"{first + number}" for number in itertools.count())
        self._inbox: deque[tuple[str, dict[str, Any]]] = deque()
        self.pillar = {"repo_config": {repo: {**self._keys, "location": "/srv/site"}}}
        self.master = Master(
            root=self.root,
            bus=self,
            store=LocalCache(self.root.parent),
            targets=lambda expression, kind: list(hosts),
            accepted=lambda: list(hosts),
            secret=functools.partial(secret_for, master_secret=master_secret(self.root)),
            user="amir",
            place=CheckContext(lambda *_: True, lambda *_: Response(200)),
        )
        self.minions = {name: Minion(self, name) for name in hosts}

    # -- what operators do ------------------------------------------------------------------------------

    def sync(self, tag: str, **more: Any) -> deploy.Report:
        """Deploy a tag everywhere."""
        self._last = int(tag.removeprefix("v"))
        return self._run(Request(SYNC, self.repo, tag, **more))

    def deploy(self, **wish: Any) -> deploy.Report:
        """Deploy what is asked for otherwise: ``commit=``, ``branch=``."""
        return self._run(Request(SYNC, self.repo, "", **wish))

    def configure(self, **keys: Any) -> None:
        """Change the repo's section of the pillar, for master and hosts."""
        self._keys = {**self._keys, **keys}
        self.pillar["repo_config"][self.repo].update(keys)
        for minion in self.minions.values():
            minion.repo = self.config(minion.location)

    def converges(self) -> None:
        """See that each host takes the next release, byte for byte."""
        number = (self._last + 1) % len(self.source.trees)
        assert str(self.sync(f"v{number}").outcome).startswith("CONVERGED")
        for minion in self.minions.values():
            assert snapshot(minion.location) == self.source.checked_out(number)

    def roll_back(self, to: str = "") -> deploy.Report:
        """Go back by command; to the release before if no other is named."""
        return self._run(Request(ROLLBACK, self.repo, to))

    def plan(self, tag: str) -> dict[str, Any]:
        """Ask what a deploy would do."""
        return preview.preview(Request(SYNC, self.repo, tag), self.pillar, "", self.master)

    def preseed(self, tag: str) -> dict[str, Any]:
        """Bring a release's payloads to the hosts ahead of its deploy."""
        repo = self.config(Path("/srv/site"))
        return preseed.preseed(repo, tag, self.new_jid(), self.master, targets=True, tell=lambda text: None)

    def config(self, location: Path) -> config.Repo:
        """The repo's configuration, as a host with this location has it."""
        return config.load({"repo_config": {self.repo: {**self._keys, "location": str(location)}}}, self.repo)

    def _run(self, request: Request) -> deploy.Report:
        self._clock += 60  # the history is ordered by time
        report = deploy.run(request, self.pillar, "", self.new_jid(), self.master)
        self.look()
        return report

    @property
    def pins(self) -> Pins:
        """As the package reads them."""
        return Pins(self.root)

    # -- the bus ----------------------------------------------------------------------------------------

    def new_jid(self) -> str:
        return next(self._jids)

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        for host in hosts:
            answer = self.minions[host].do(function, arguments, jid)
            self._inbox.append((f"salt/job/{jid}/ret/{host}", {"return": answer}))
        self.look()

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        self.look()
        if self._inbox:
            return self._inbox.popleft()
        self._clock += wait
        return None

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        self.look()

    def now(self) -> float:
        return self._clock

    def elapsed(self) -> float:
        return self._clock

    # -- what lies on the disks -------------------------------------------------------------------------

    def look(self) -> None:
        """Note every file that is there now: ``master:``, ``minion:``, ``area:`` or ``live:``, and its path."""
        for kind, root in self._roots():
            self.seen |= {f"{kind}:{path}" for path in _files(root)}

    def _roots(self) -> Iterator[tuple[str, Path]]:
        yield "master", self.root
        for minion in self.minions.values():
            yield "minion", minion.cache
            yield "area", minion.repo.paths.area
            if minion.repo.layout.name == "inplace":
                yield "live", minion.location


def _files(root: Path) -> Iterator[str]:
    """Files and links, as paths below it; nothing is looked for below a link. It is asked for at every step."""
    waiting = [""] if root.is_dir() else []
    while waiting:
        directory = waiting.pop()
        with os.scandir(root / directory) as entries:
            for entry in entries:
                path = os.path.join(directory, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    yield path


@contextmanager
def locked_by_hand(fleet: Fleet) -> Iterator[None]:
    """An operator has locked the repo while the block runs."""
    locks, holder = Locks(fleet.root, fleet.master.store, fleet.now), Holder.here("carol")
    locks.lock(scope_of(REPO), "the database moves", holder)
    try:
        yield
    finally:
        locks.unlock(scope_of(REPO), holder)
