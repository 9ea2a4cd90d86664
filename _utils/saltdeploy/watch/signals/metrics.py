"""Prometheus: counts of what the journals tell, and gauges of how repos stand, by the project's own client library.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for what only grows, ``_info`` for texts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.signals import signal as kinds
from saltdeploy.watch.signals.signal import Notification
from saltdeploy.watch.signals.totals import KeptTotals, NothingKept, Totals
from saltdeploy.watch.text import count

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_STANDING_FOR = 15.0  # seconds that what was read of the repos counts as fresh
_TEXTFILE_EVERY = 15.0  # seconds
_KEPT_EVERY = 15.0  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """How one repo stands now.

    Attributes:
        tag, commit: of its pin; "" for none.
        locked: somebody has locked it.
        hosts: state -> how many hosts are in it: ``pinned``, ``behind``, ``damaged``, ``unsettled``, ``unheard``.
    """

    repo: str
    tag: str = ""
    commit: str = ""
    locked: bool = False
    hosts: dict[str, int] = field(default_factory=dict)


class Metrics:
    """Counts signals. After a restart it is told all journals again: what stands in them of deploys that are counted already
    says only how things are, and is not counted twice.

    Args:
        standing: reads how the repos stand.
        elapsed: seconds, by a clock that nobody sets.
        kept: has what was counted before, and keeps what is.
    """

    def __init__(
        self,
        standing: Callable[[], list[Standing]],
        elapsed: Callable[[], float] = time.monotonic,
        kept: KeptTotals | None = None,
    ) -> None:
        try:
            from prometheus_client import CollectorRegistry, Gauge
        except ImportError as error:
            raise DeployError(
                "the library prometheus_client is not installed",
                next="salt-pip install 'saltext-deploy[prometheus]'",
            ) from error
        self.registry: CollectorRegistry = CollectorRegistry()

        def made(kind: Any, name: str, text: str, *labels: str) -> Any:
            return kind(f"saltdeploy_{name}", text, labels, registry=self.registry)

        self._kept, self._is_news = kept or NothingKept(), False
        self.totals = _totals(self._kept)
        self.registry.register(_Counts(self.totals))
        self._open = made(Gauge, "unfinished_deploys", "Deploys that have begun and not ended.", "repo")
        self._questions = made(
            Gauge, "open_questions", "Questions that wait for an operator's answer.", "repo"
        )
        self._last = made(
            Gauge,
            "last_deploy_info",
            "The last deploy that ended.",
            "repo",
            "tag",
            "commit",
            "action",
            "outcome",
            "user",
        )
        self._last_time = made(Gauge, "last_deploy_timestamp_seconds", "When the last deploy ended.", "repo")
        self._last_labels: dict[str, tuple[str, ...]] = {}
        self.registry.register(_Stand(standing, elapsed))

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        if signal.kind == kinds.STARTED:
            self._open.labels(signal.repo).set(1)
        if signal.kind == kinds.ASKED:
            self._questions.labels(signal.repo).set(1)
        if signal.kind in (kinds.ANSWERED, kinds.ABORTED, kinds.FINISHED):
            self._questions.labels(signal.repo).set(0)
        if signal.kind == kinds.FINISHED:
            self._finished(signal)

    def keep(self) -> None:
        """Write down what was counted since the last time, if anything was.

        Raises:
            OSError: it cannot be written.
        """
        if self._is_news:
            self._kept.write(self.totals.to_wire())
            self._is_news = False

    def _count(self, signal: Notification) -> None:
        repo, action, totals = signal.repo, signal.action, self.totals
        if totals.is_counted(repo, signal.deploy):
            return
        totals.add("deploys", (repo, action, signal.outcome))
        totals.add("deploy_seconds", (repo, action), signal.seconds)
        for stage in signal.stages:
            totals.add(
                "stage_seconds", (repo, stage.name), max(0.0, (stage.ended or signal.time) - stage.begun)
            )
            totals.add("received_bytes", (repo,), count(stage.received))
            totals.add("host_failures", (repo, stage.name), stage.failed)
        totals.counted(repo, signal.deploy)
        self._is_news = True

    def _finished(self, signal: Notification) -> None:
        repo, action = signal.repo, signal.action
        self._open.labels(repo).set(0)
        self._count(signal)
        if repo in self._last_labels:
            self._last.remove(*self._last_labels[repo])
        labels = (repo, signal.tag, signal.commit, action, signal.outcome, signal.user)
        self._last.labels(*labels).set(1)
        self._last_labels[repo] = labels
        self._last_time.labels(repo).set(signal.time)


def _totals(kept: KeptTotals) -> Totals:
    """What was counted before; from nothing where that is not known."""
    try:
        found = kept.read()
        return Totals.from_wire(found) if found else Totals(time.time())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("What was counted before cannot be read; what the journals tell is counted: %s", error)
        return Totals(time.time())


class _Counts:
    """The counts, for the registry of the library."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def describe(self) -> list[Any]:
        """Nothing: the registry need not read it to learn the names."""
        return []

    def collect(self) -> Iterator[Any]:
        """What the library asks for."""
        return self._totals.collect()


class _Stand:
    """How the repos stand, read when somebody asks for metrics, at most every few seconds."""

    def __init__(self, standing: Callable[[], list[Standing]], elapsed: Callable[[], float]) -> None:
        self._standing, self._elapsed = standing, elapsed
        self._known: list[Standing] = []
        self._until = float("-inf")
        self._one_at_a_time = threading.Lock()

    def describe(self) -> list[Any]:
        """Nothing: the registry need not read it to learn the names."""
        return []

    def collect(self) -> Iterator[Any]:
        """What the library asks for."""
        from prometheus_client.core import GaugeMetricFamily

        pins = GaugeMetricFamily(
            "saltdeploy_pin_info", "The release that is pinned.", labels=["repo", "tag", "commit"]
        )
        locks = GaugeMetricFamily(
            "saltdeploy_locked", "Whether somebody has locked the repo.", labels=["repo"]
        )
        hosts = GaugeMetricFamily(
            "saltdeploy_hosts", "Hosts, by how they stand to the pin.", labels=["repo", "state"]
        )
        for one in self._fresh():
            if one.tag:
                pins.add_metric([one.repo, one.tag, one.commit], 1)
            locks.add_metric([one.repo], float(one.locked))
            for state, number in one.hosts.items():
                hosts.add_metric([one.repo, state], number)
        yield from (pins, locks, hosts)

    def _fresh(self) -> list[Standing]:
        with self._one_at_a_time:
            if self._elapsed() >= self._until:
                try:
                    self._known = self._standing()
                except Exception:  # noqa: BLE001 - what is damaged elsewhere must not take the counts away
                    log.exception("Metrics tell how the repos stood before.")
                self._until = self._elapsed() + _STANDING_FOR
            return self._known


class Exposition:
    """Where metrics can be read: an endpoint, a file for node_exporter's textfile collector, or both.

    Args:
        metrics: what is shown.
        address, port: of the endpoint; port 0 for none.
        textfile: "" for none.

    Raises:
        DeployError: the address is taken.
    """

    def __init__(self, metrics: Metrics, address: str, port: int, textfile: str) -> None:
        self._metrics, self._registry = metrics, metrics.registry
        self._textfile, self._due, self._kept_until = textfile, 0.0, 0.0
        if port:
            from prometheus_client import start_http_server

            try:
                start_http_server(port, address, registry=self._registry)
            except OSError as error:
                raise DeployError(
                    f"metrics cannot be served at {address}:{port}: {error.strerror}",
                    next=f"ss -ltnp 'sport = :{port}'",
                ) from error

    def keep(self, now: float) -> None:
        """Write down what was counted, if that is due. Journals that nobody needs are days old when they are deleted.

        Raises:
            OSError: it cannot be written.
        """
        if now >= self._kept_until:
            self._kept_until = now + _KEPT_EVERY
            self._metrics.keep()

    def write(self, now: float) -> bool:
        """Write the file, if it is due; whether it was.

        Raises:
            DeployError: it cannot be written.
        """
        if not self._textfile or now < self._due:
            return False
        from prometheus_client import write_to_textfile

        self._due = now + _TEXTFILE_EVERY
        try:
            write_to_textfile(self._textfile, self._registry)
        except OSError as error:
            raise DeployError(
                f"metrics cannot be written: {error.strerror}",
                path=self._textfile,
                next=f"ls -ld -- {self._textfile}",
            ) from error
        return True
