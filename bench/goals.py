"""What must be reached: rows that say what is compared, by how much it may be slower, and how runs are judged. Pure.

A run has figures of several contenders, which took the same releases in turns on one rig. A row makes one value of them,
mostly a ratio, in each run; what counts is the value in the middle.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.results import Cell
from bench.tables import NOTHING, seconds, table

#: Contenders, as ``bench.peers`` calls them; what ``salt-run`` takes, by our column.
WARM, COLD = "deploy:warm", "cold"
GIT, PEERS = "git-smart", ("git-smart", "rsync", "rsync-daemon")

Took = Mapping[str, Mapping[str, Cell]]
"""Contender, then case, to the cell of one run."""


@dataclass(frozen=True)
class Value:
    """What a row says of one run.

    Attributes:
        value: which is compared with the aim.
        ours, other: the figures it was made of.
        name: of the other.
        cpu: processor time of all hosts and the hub, in seconds: ours, the other's; None where it says nothing.
    """

    value: float
    ours: float
    other: float
    name: str
    cpu: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """One thing that must be reached.

    Attributes:
        says: what it is.
        of: makes the value of a run; raises ``KeyError`` where the run has not what it needs.
        aim: the most that the value may be.
        unit: behind the value.
    """

    says: str
    of: Callable[[Took], Value]
    aim: float
    unit: str = "×"


@dataclass(frozen=True)
class Verdict:
    """A row with the values of all runs; none where it has not been measured."""

    row: Row
    values: Sequence[Value]

    @property
    def middle(self) -> Value:
        """The value of the run in the middle."""
        return sorted(self.values, key=lambda each: each.value)[len(self.values) // 2]

    @property
    def is_missed(self) -> bool:
        return bool(self.values) and self.middle.value > self.row.aim


def _seconds(took: Took, name: str, case: str) -> float:
    return float(took[name][case]["seconds"])


def _processor(took: Took, name: str, case: str) -> float:
    """Seconds of a target, on average."""
    hosts = took[name][case]["hosts"]
    return statistics.fmean(each["cpu"] for host, each in hosts.items() if host != "hub")


def _all_processors(took: Took, name: str, case: str) -> float:
    return float(sum(each["cpu"] for each in took[name][case]["hosts"].values()))


def beside_the_fastest(case: str) -> Callable[[Took], Value]:
    """Seconds by the warm door beside those of the fastest peer in the same run."""

    def value(took: Took) -> Value:
        others = {name: _seconds(took, name, case) for name in PEERS if case in took.get(name, {})}
        ours = _seconds(took, WARM, case)
        if not others:
            raise KeyError(case)
        best = min(others, key=lambda name: others[name])
        cpu = _all_processors(took, WARM, case), _all_processors(took, best, case)
        return Value(ours / others[best], ours, others[best], best, cpu)

    return value


def beside_git(case: str, figure: Callable[[Took, str, str], float] = _seconds) -> Callable[[Took], Value]:
    """Ours beside git's."""

    def value(took: Took) -> Value:
        ours, other = figure(took, WARM, case), figure(took, GIT, case)
        cpu = _all_processors(took, WARM, case), _all_processors(took, GIT, case)
        return Value(ours / other, ours, other, GIT, cpu)

    return value


def beyond(case: str, rounds: int) -> Callable[[Took], Value]:
    """Seconds of a cold ``salt-run`` that are neither ``salt-run test.arg`` nor so many rounds to all hosts."""

    def value(took: Took) -> Value:
        least = _seconds(took, COLD, "test.arg") + rounds * _seconds(took, COLD, "round")
        ours = _seconds(took, COLD, case)
        named = f"test.arg and {rounds} rounds" if rounds else "test.arg"
        return Value(ours - least, ours, least, named)

    return value


def of_a_host(case: str) -> Callable[[Took], Value]:
    """Processor time of a host."""

    def value(took: Took) -> Value:
        ours, other = _processor(took, WARM, case), _processor(took, GIT, case)
        return Value(ours, ours, other, GIT)

    return value


DOOR_ROWS = (
    Row("20 files, by the warm door", beside_the_fastest("small"), 1.2),
    Row("nothing to do, likewise", beside_the_fastest("none"), 0.7),
    Row("roll back, likewise", beside_the_fastest("rollback"), 0.7),
    Row("a third of the files, likewise", beside_the_fastest("large"), 1.2),
    Row("first install", beside_the_fastest("first"), 1.3),
    Row("second slot (half of 4.7)", beside_the_fastest("second"), 2.35),
    Row("third slot (half of 5.4)", beside_the_fastest("third"), 2.7),
    Row("a host's processor time, 20 files", of_a_host("small"), 0.2, "s"),
)
COLD_ROWS = (
    Row("nothing to do by a cold `salt-run`, beyond `test.arg`", beyond("none", 0), 0.25, "s"),
    Row("20 files likewise, beyond that and two rounds", beyond("small", 2), 0.25, "s"),
)
ONE_TARGET_ROWS = (
    Row("first install, one target: wall", beside_git("first"), 1.1),
    Row("first install, one target: processor time of the host", beside_git("first", _processor), 1.2),
)
TEN_TARGETS_ROWS = (
    Row("first install, ten targets", beside_git("first"), 1.1),
    Row("10,000 files, ten targets", beside_git("large"), 0.9),
)
#: What must be reached as well: what, how much, and which benchmark measures it; "" for none yet.
ELSEWHERE = (
    ("roll back of 100 simulated hosts, the master's git broken", "2 s and two rounds", ""),
    ("bytes, against the smallest of thin pack, zstd patch and xdelta", "1.1 ×", ""),
    ("500 MB of blobs, 1 % changed, against rsync", "1.5 ×, a tenth of its bytes", "transports"),
    ("twenty targets by the swarm, 25 Mbit/s: median / least possible", "1.5 ×", "egress"),
    ("the master's processor time a target and stage, 10,000 hosts", "8 ms", "crowd"),
)


def judge(rows: Iterable[Row], runs: Sequence[Took]) -> list[Verdict]:
    """Each row with its values of the runs that have what it needs."""
    return [Verdict(row, [value for run in runs if (value := _of(row, run)) is not None]) for row in rows]


def _of(row: Row, run: Took) -> Value | None:
    try:
        return row.of(run)
    except KeyError:
        return None


def told(verdicts: Sequence[Verdict]) -> str:
    """The table."""
    head = (
        "what must be reached",
        "value",
        "of all runs",
        "aim",
        "",
        "seconds: ours",
        "other",
        "CPU s: ours",
        "other",
    )
    return table(head, [_line(verdict) for verdict in verdicts])


def _line(verdict: Verdict) -> tuple[str, ...]:
    row = verdict.row
    if not verdict.values:
        return (row.says, NOTHING, NOTHING, f"{row.aim:g} {row.unit}", "not measured", *[NOTHING] * 4)
    middle, found = verdict.middle, sorted(each.value for each in verdict.values)
    spread = f"{found[0]:.2f} to {found[-1]:.2f}"
    judged = "MISSED" if verdict.is_missed else "met"
    other = f"{seconds(middle.other)} ({middle.name})"
    return (row.says, f"{middle.value:.2f} {row.unit}", spread, f"{row.aim:g} {row.unit}", judged,
            seconds(middle.ours), other, *map(seconds, middle.cpu or (None, None)))  # fmt: skip


def elsewhere() -> str:
    """The rows that this benchmark does not measure."""
    return table(
        ("not measured here", "aim", "make bench BENCH="),
        [(what, aim, f"`{name}`" if name else "none yet") for what, aim, name in ELSEWHERE],
    )
