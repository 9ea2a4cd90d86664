"""Trebuchet's report, byte for byte::

    Repo: test/testrepo
    Tag: test/testrepo-sync-20131216-030825

    3/3 minions completed fetch; 2/3 minions completed checkout

    Details:

    web3:
    <tab>fetch status: 0 [started: 0 mins ago, last-return: 0 mins ago]
    <tab>checkout status: None [started: None mins ago, last-return: None mins ago]

Hosts stand in their natural order (Trebuchet's came in any), and below a host that has told why it failed, a line of ours does.
"""

from __future__ import annotations

from collections.abc import Sequence

from saltdeploy.trebuchet.progress import HostStage, StageProgress
from saltdeploy.watch.text import clean, natural, with_next


def report(repo: str, tag: str, stages: Sequence[StageProgress], now: float, *, detailed: bool) -> list[str]:
    """The report of one stage while it is asked about, or of both.

    Args:
        stages: one (then only hosts that have not completed it are named), or fetch and checkout.
        now: seconds since the epoch.
        detailed: whether to name hosts.
    """
    counts = [f"{len(stage.done)}/{len(stage.hosts)} minions completed {stage.name}" for stage in stages]
    lines = [f"Repo: {repo}", f"Tag: {tag}", "", "; ".join(counts)]
    return [*lines, "", "Details:", "", *details(stages, now, every=len(stages) > 1)] if detailed else lines


def details(stages: Sequence[StageProgress], now: float, *, every: bool) -> list[str]:
    """The lines of hosts.

    Args:
        every: also of hosts that have completed the stage.
    """
    names = sorted({host for stage in stages for host in stage.hosts}, key=natural)
    lines: list[str] = []
    for name in names:
        known = [(stage.name, stage.hosts.get(name, HostStage())) for stage in stages]
        if not every and all(host.done for _, host in known):
            continue
        lines.append(f"{clean(name)}: ")
        lines += [f"\t{stage} {_status(host, now)}" for stage, host in known]
        causes = dict.fromkeys(with_next(host.cause, host.next) for _, host in known if host.cause)
        lines += [f"\t{clean(cause, 2000)}" for cause in causes]
    return lines


def _status(host: HostStage, now: float) -> str:
    started, returned = _minutes(host.started, now), _minutes(host.returned, now)
    return f"status: {host.status} [started: {started} mins ago, last-return: {returned} mins ago]"


def _minutes(moment: float | None, now: float) -> int | None:
    """Whole minutes; also after a day, when Trigger's began at 0 again."""
    return None if moment is None else int(max(0.0, now - moment) // 60)
