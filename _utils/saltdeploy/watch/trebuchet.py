"""Trebuchet's report of a stage, byte for byte::

    Repo: test/testrepo
    Tag: release/2026-11-23/1

    2/3 minions completed fetch

    Details:

    web3:
    <tab>fetch status: 155 [started: 2 mins ago, last-return: 0 mins ago]

A line of ours follows below a host that has told why it failed.
"""

from __future__ import annotations

from saltdeploy.watch.stage import Host, Stage
from saltdeploy.watch.state import State
from saltdeploy.watch.text import natural, sentences

_MOST_DETAILS = 50


def report(state: State, *, detailed: bool) -> list[str]:
    """The report of the latest stage.

    Args:
        detailed: name the hosts that have not completed it.
    """
    stage = state.stage
    if stage is None:
        return []
    lines = [f"Repo: {state.repo}", f"Tag: {state.tag}", ""]
    lines.append(f"{stage.ok}/{stage.total} minions completed {stage.name}")
    return [*lines, "", "Details:", "", *_details(state, stage)] if detailed else lines


def _details(state: State, stage: Stage) -> list[str]:
    causes = {failure.host: failure for failure in state.failures if failure.stage == stage.name}
    pending = sorted(stage.pending(), key=lambda host: natural(host.name))
    lines: list[str] = []
    for host in pending[:_MOST_DETAILS]:
        lines += [f"{host.name}: ", f"\t{stage.name} {_status(host, state.now)}"]
        if host.status is not None and host.name in causes:
            lines.append(f"\t{sentences(causes[host.name].cause, causes[host.name].next)}")
    more = len(pending) - _MOST_DETAILS
    return [*lines, f"{more} more"] if more > 0 else lines


def _status(host: Host, now: float) -> str:
    started, returned = _minutes(host.since, now), _minutes(host.ended, now)
    return f"status: {host.status} [started: {started} mins ago, last-return: {returned} mins ago]"


def _minutes(moment: float | None, now: float) -> int | None:
    return None if moment is None else int(max(0.0, now - moment) // 60)
