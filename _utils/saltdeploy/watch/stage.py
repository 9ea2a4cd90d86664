"""How far one stage of a deploy is, on the hosts of one group or on all: counts, and what each host does."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

from saltdeploy.protocol import events

_PHASES = ("", *events.PHASES)


@dataclass
class HostProgress:
    """What one host does in one stage.

    Attributes:
        since: when it was first heard of in this stage.
        phase, done, total, unit: as in :func:`saltdeploy.protocol.events.host_progress`.
        step, step_since: what it runs just now, and since when; "" where it does not do one thing after the other.
        bytes: received.
        status: None while it is at work, 0 when it is done, else why not.
        ended: when it answered; None also when it was given up.
        unchanged: it ran the release before anybody asked.
    """

    name: str
    since: float
    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    step: str = ""
    step_since: float = 0.0
    bytes: int = 0
    status: int | None = None
    ended: float | None = None
    unchanged: bool = False

    def runs(self, step: str, now: float) -> None:
        """It does this just now."""
        if step != self.step:
            self.step, self.step_since = step, now

    @property
    def percent(self) -> int | None:
        """How far its present phase is; None when that is not known."""
        return min(100, 100 * self.done // self.total) if self.total else None


@dataclass(frozen=True)
class HostFacts:
    """What a host told with its answer, for people; 0 and "" where it told nothing of that.

    Attributes:
        files, bytes: what it wrote, and what it received.
        seconds: how long it took there.
        source: who served it.
    """

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    source: str = ""


@dataclass
class Stage:
    """See the module.

    Attributes:
        group: whose hosts it is about; "" for all.
        called: what people read, where that is not its name.
        names: its hosts, where they are few.
        in_flight: hosts that were asked and have not answered; None until it is known.
        received: bytes that its hosts have received.
        sources: who served how many of them.
        hosts: those that have been heard of.
    """

    name: str
    begun: float
    group: str = ""
    called: str = ""
    names: tuple[str, ...] = ()
    total: int = 0
    ok: int = 0
    failed: int = 0
    in_flight: int | None = None
    ended: float | None = None
    received: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    hosts: dict[str, HostProgress] = field(default_factory=dict)
    _busy: dict[str, HostProgress] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """``canary checkout``, ``fetch``."""
        return f"{self.group} {self.label}" if self.group else self.label

    @property
    def label(self) -> str:
        """``checkout``, ``fetch``."""
        return self.called or self.name

    @property
    def done(self) -> int:
        """Hosts that have answered, or were given up."""
        return self.ok + self.failed

    @property
    def left(self) -> int:
        """Hosts that have not been asked yet."""
        return max(0, self.total - self.done - (self.in_flight or 0))

    @property
    def percent(self) -> float:
        """Of the hosts, how many have answered."""
        return min(100.0, 100 * self.done / self.total) if self.total else 100.0

    @property
    def busy(self) -> int:
        """How many hosts have been heard of and are not done."""
        return len(self._busy)

    def host(self, name: str, now: float) -> HostProgress:
        """The host of this name; new hosts are at work."""
        if name not in self.hosts:
            self.hosts[name] = self._busy[name] = HostProgress(name, now)
        return self.hosts[name]

    def begin(self, total: int, now: float) -> None:
        """It begins, or goes on: after a question, or in another process."""
        if self.ended is not None:
            self.begun, self.ended = now, None
        self.total = total

    def receive(self, host: HostProgress, number: int) -> None:
        """Note how many bytes a host has received so far."""
        self.received += number - host.bytes
        host.bytes = number

    def answer(self, host: HostProgress, status: int, now: float | None) -> None:
        """A host has answered, with 0 when it is done; between two counts of the master it is counted here.

        Args:
            now: None when it was given up.
        """
        host.status, host.ended = status, now
        self._busy.pop(host.name, None)
        if self.in_flight:
            self.in_flight -= 1
        if status == 0:
            self.ok += 1
        else:
            self.failed += 1

    def again(self, now: float) -> None:
        """Those that failed are asked once more."""
        for host in self.pending():
            if host.status is not None:
                self._busy[host.name] = self.hosts[host.name] = HostProgress(host.name, now, bytes=host.bytes)
        self.failed = 0

    def pending(self) -> list[HostProgress]:
        """Hosts that have been heard of and have not done it."""
        return [host for host in self.hosts.values() if host.status != 0]

    def slowest(self, most: int) -> list[HostProgress]:
        """Hosts at work, the least advanced first."""
        return heapq.nsmallest(most, self._busy.values(), key=_advance)


def _advance(host: HostProgress) -> tuple[int, float, float, str]:
    phase = _PHASES.index(host.phase) if host.phase in _PHASES else len(_PHASES)
    return (phase, host.done / host.total if host.total else 0.0, host.since, host.name)
