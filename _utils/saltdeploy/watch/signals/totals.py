"""Counts that only grow: what a process that counts deploys has counted, and what those before it had.

Journals are deleted one day. Whoever counted those that are left, at each start, would tell smaller numbers than before; and
Prometheus takes a smaller number for a counter that began anew, and all of it for new deploys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from saltdeploy.watch.text import count

Labels = tuple[str, ...]

#: Name -> what it counts, and its labels. Those of the second table have a sum and a number each.
COUNTERS = {
    "deploys": ("Deploys that ended, by outcome.", ("repo", "action", "outcome")),
    "received_bytes": ("What hosts received.", ("repo",)),
    "host_failures": ("Hosts that failed a stage.", ("repo", "stage")),
}
SUMMARIES = {
    "deploy_seconds": ("How long deploys took, from begin to end.", ("repo", "action")),
    "stage_seconds": ("How long stages took.", ("repo", "stage")),
}


class KeptTotals(Protocol):
    """Where totals outlive the process that counts."""

    def read(self) -> dict[str, Any] | None:
        """What was written last; None where there is nothing that can be read."""

    def write(self, totals: dict[str, Any]) -> None:
        """Keep it."""


@dataclass
class Totals:
    """All counts, and up to which deploy of each repo they go.

    Attributes:
        since: when counting began, in seconds since the epoch.
        newest: repo to the id of the last deploy that is counted; ids grow.
        sums: name and labels to what was added up.
        numbers: name and labels to how often that was.
    """

    since: float
    newest: dict[str, str] = field(default_factory=dict)
    sums: dict[tuple[str, Labels], float] = field(default_factory=dict)
    numbers: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def is_counted(self, repo: str, deploy: str) -> bool:
        """Whether the end of this deploy is in the counts."""
        return deploy <= self.newest.get(repo, "")

    def counted(self, repo: str, deploy: str) -> None:
        """The end of this deploy is in the counts now."""
        self.newest[repo] = max(deploy, self.newest.get(repo, ""))

    def add(self, name: str, labels: Labels, value: float = 1.0) -> None:
        """Count something up."""
        self.sums[name, labels] = self.sums.get((name, labels), 0.0) + value
        self.numbers[name, labels] = self.numbers.get((name, labels), 0.0) + 1

    def collect(self) -> Iterator[Any]:
        """The families of the library ``prometheus_client``, as its registry asks for them."""
        from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily

        sums, numbers = dict(self.sums), dict(self.numbers)  # they are counted up by another thread
        for name, (text, labels) in COUNTERS.items():
            family = CounterMetricFamily(f"saltdeploy_{name}", text, labels=labels)
            for (which, values), value in sums.items():
                if which == name:
                    family.add_metric(values, value, created=self.since)
            yield family
        for name, (text, labels) in SUMMARIES.items():
            summary = SummaryMetricFamily(f"saltdeploy_{name}", text, labels=labels)
            for (which, values), value in sums.items():
                if which == name:
                    summary.add_metric(values, int(numbers[which, values]), value)
            yield summary

    def to_wire(self) -> dict[str, Any]:
        """As plain data."""
        counts = [
            [name, *labels, value, self.numbers[name, labels]] for (name, labels), value in self.sums.items()
        ]
        return {"since": self.since, "newest": dict(self.newest), "counts": counts}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Totals:
        """Rebuild them; what nobody here counts is left out.

        Raises:
            ValueError, TypeError, KeyError: it has another form.
        """
        known = {**COUNTERS, **SUMMARIES}
        made = cls(float(data["since"]), {str(repo): str(deploy) for repo, deploy in data["newest"].items()})
        for name, *labels, value, number in data["counts"]:
            if name in known and len(labels) == len(known[name][1]):
                key = name, tuple(map(str, labels))
                made.sums[key], made.numbers[key] = max(0.0, float(value)), float(count(number))
        return made


class NothingKept:
    """Of a process whose counts end with it."""

    def read(self) -> None:
        """There is nothing."""
        return None

    def write(self, totals: dict[str, Any]) -> None:
        """Nothing is kept."""


def nothing_kept(sink: str) -> KeptTotals:
    """For a sink whose totals nobody keeps."""
    return NothingKept()


Keeping = Callable[[str], KeptTotals]
"""Gives a sink, by its name, what keeps its totals."""
