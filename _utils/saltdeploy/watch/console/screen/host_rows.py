"""The hosts of a deploy as rows of a list: who needs a look first, then who works, who waits, who is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saltdeploy.watch.console.picture import amount
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import clock, natural

FAILED, AT_WORK, WAITS, DONE = range(4)


@dataclass(frozen=True)
class HostRow:
    """One host.

    Attributes:
        rank: one of the four.
        stage: what its latest stage is called; "" before the first.
        word: what it does there, or how that ended.
        far: how far it is: ``45%  1.2 MB of 3.4 MB``.
        since: for how long it has been at it, or how long it took.
    """

    name: str
    rank: int
    group: str = ""
    stage: str = ""
    word: str = "not asked yet"
    far: str = ""
    since: str = ""


def rows(state: DeployView, groups: Mapping[str, str]) -> list[HostRow]:
    """All hosts that are known, those first that need a look.

    Args:
        groups: host to the name of its group, for those that are known from the plan.
    """
    latest: dict[str, tuple[Stage, HostProgress]] = {}
    for stage in state.stages.values():
        latest.update((name, (stage, host)) for name, host in stage.hosts.items())
    unheard = {name: HostRow(name, WAITS, group) for name, group in groups.items() if name not in latest}
    running = state.running
    for name in running.names if running else ():
        if running is not None and name not in running.hosts:
            unheard[name] = HostRow(name, AT_WORK, groups.get(name, ""), running.label, "no sign yet")
            latest.pop(name, None)
    found = [_row(state, *latest[name], groups.get(name, "")) for name in latest]
    return sorted([*found, *unheard.values()], key=lambda row: (row.rank, natural(row.name)))


def _row(state: DeployView, stage: Stage, host: HostProgress, group: str) -> HostRow:
    rank, word, far, end = DONE, "done", "", host.ended
    if host.status is None and stage.ended is None:
        percent = "" if host.percent is None else f"{host.percent}%"
        rank, word, end = AT_WORK, host.step or host.phase or "no sign yet", state.now
        far = "  ".join(filter(None, (percent, amount(host))))
    elif host.status is None:
        rank, word = WAITS, "not done"
    elif host.status:
        rank, word = FAILED, "failed" if host.ended else "no answer"
    elif host.unchanged:
        word = "had it already"
    since = clock(end - host.since) if end is not None else ""
    return HostRow(host.name, rank, group or stage.group, stage.label, word, far, since)
