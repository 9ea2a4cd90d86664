"""Masters for the tests of locks: a root and a clock each, a store that they may share, and processes of theirs."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from saltdeploy.lib.errors import Locked
from saltdeploy.master.cache import Store
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder

NOON = 1_795_435_200.0  # 2026-11-23, a Monday
_FORK = multiprocessing.get_context("fork")
_PATIENCE = 60.0  # seconds; only a broken test waits for so long


@dataclass
class Clock:
    """A clock that a test sets; whoever pauses by it does not wait.

    Attributes:
        meanwhile: happens at every pause.
    """

    now: float = NOON
    meanwhile: Callable[[], object] = field(default=lambda: None)

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@dataclass
class Master:
    """One master."""

    root: Path
    store: Store
    clock: Clock

    @property
    def locks(self) -> Locks:
        """As a process that has just begun sees them."""
        return Locks(self.root, self.store, self.clock, self.clock.pause, self.clock)

    def can_deploy(self, repo: str = "mediawiki", groups: tuple[str, ...] = ()) -> bool:
        """Whether a deploy could begin now."""
        try:
            with self.locks.hold(repo, groups, person("prober")):
                return True
        except Locked:
            return False


def person(name: str, deploy: str = "20261123120000000000", reason: str = "a hotfix") -> Holder:
    """Somebody who deploys."""
    return Holder.here(name, deploy=deploy, reason=reason)


class Deployers:
    """Processes that begin at one moment to deploy the same repo; whoever gets it keeps it until the end.

    Attributes:
        holding: ``(pid, epoch)`` of those who hold it.
        refused: ``(pid, error)`` of those who were refused.
    """

    def __init__(self, locks: Locks, repo: str, count: int) -> None:
        self._answers = _FORK.Queue()
        self._gate = _FORK.Barrier(count)
        self.processes = [
            _FORK.Process(target=self._deploy, args=(locks, repo, f"user{n}"), daemon=True)
            for n in range(count)
        ]
        for process in self.processes:
            process.start()
        answers = [self._answers.get(timeout=_PATIENCE) for _ in self.processes]
        self.holding = [(pid, epoch) for pid, epoch, _ in answers if epoch]
        self.refused = [(pid, error) for pid, epoch, error in answers if not epoch]

    def process(self, pid: int) -> BaseProcess:
        """One of them."""
        return next(process for process in self.processes if process.pid == pid)

    def end(self) -> None:
        """Everybody is killed: nobody but the kernel cleans up after them."""
        for process in self.processes:
            process.kill()
            process.join(_PATIENCE)

    def _deploy(self, locks: Locks, repo: str, user: str) -> None:
        holder = person(user)
        self._gate.wait(_PATIENCE)
        try:
            with locks.hold(repo, (), holder) as lease:
                self._answers.put((holder.pid, lease.epoch, ""))
                time.sleep(_PATIENCE)
        except Locked as error:
            self._answers.put((holder.pid, 0, str(error)))


@contextmanager
def deployers(locks: Locks, repo: str = "mediawiki", count: int = 1) -> Iterator[Deployers]:
    """So many processes that want to deploy; none is left at the end."""
    them = Deployers(locks, repo, count)
    try:
        yield them
    finally:
        them.end()


@contextmanager
def lookers(look: Callable[[], object], count: int = 3) -> Iterator[None]:
    """Processes that do nothing but look, again and again."""
    end = _FORK.Event()

    def keep_looking() -> None:
        while not end.is_set():
            look()

    processes = [_FORK.Process(target=keep_looking, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        end.set()
        for process in processes:
            process.join(_PATIENCE)
