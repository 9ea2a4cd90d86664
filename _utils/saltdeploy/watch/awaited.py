"""Whom the stage of a deploy that runs waits for, as far as the names are known: hosts at work, and those without a sign."""

from __future__ import annotations

from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.state import DeployView

_FETCH, _CHECKOUT, _ROLLBACK = "fetch", "checkout", "rollback"


def slowest(state: DeployView, most: int) -> list[HostProgress]:
    """At most so many hosts that the running stage waits for, the least advanced first."""
    stage = state.running
    if stage is None:
        return []
    silent = _silent(state, stage)[:most]
    return [*silent, *stage.slowest(most - len(silent))]


def silent_names(state: DeployView) -> list[str]:
    """The hosts of the running stage that have given no sign yet."""
    stage = state.running
    return [name for name in stage.names if name not in stage.hosts] if stage is not None else []


def unheard(state: DeployView) -> int:
    """How many hosts of the running stage were asked and have given no sign yet."""
    stage = state.running
    if stage is None or stage.in_flight is None:
        return 0
    return max(0, stage.in_flight - stage.busy)


def _silent(state: DeployView, stage: Stage) -> list[HostProgress]:
    """The unheard, by the names they had in the stages before; none when others may be meant."""
    if stage.left or not unheard(state):
        return []
    names = sorted(_due_in(state, stage) - stage.hosts.keys())
    return [HostProgress(name, stage.begun) for name in names] if len(names) == unheard(state) else []


def _due_in(state: DeployView, stage: Stage) -> set[str]:
    """Hosts that are named, or that earlier stages leave for this one, if it is the last of its kind."""
    if stage.names:
        return set(stage.names)
    if stage.name == _ROLLBACK:
        switched = state.stages.get((_CHECKOUT, stage.group))
        return set(switched.hosts) if switched else set()
    fetched = state.stages.get((_FETCH, ""))
    if stage.name != _CHECKOUT or fetched is None:
        return set()
    due = {host.name for host in fetched.hosts.values() if host.status == 0 and not host.unchanged}
    others = [one for one in state.stages.values() if one.name == _CHECKOUT and one is not stage]
    return due.difference(*(one.hosts for one in others))
