"""How far hosts are in one stage, out of a deploy's events and the view of its end. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from saltdeploy.protocol import events
from saltdeploy.watch.state import DeployView


@dataclass(frozen=True)
class HostStage:
    """What is known of one host in one stage.

    Attributes:
        status: 0, or why not; None while there is no answer.
        started, returned: moments, in seconds since the epoch.
        done: whether it holds (fetch) or runs (checkout) what the deploy is about.
        cause, next: why it failed, and what to do.
    """

    status: int | None = None
    started: float | None = None
    returned: float | None = None
    done: bool = False
    cause: str = ""
    next: str = ""


@dataclass(frozen=True)
class StageProgress:
    """One stage on all its hosts.

    Attributes:
        name: ``fetch`` or ``checkout``.
        hosts: host to what is known of it.
    """

    name: str
    hosts: Mapping[str, HostStage] = field(default_factory=dict)

    @property
    def done(self) -> list[str]:
        """Hosts that have completed it."""
        return [host for host, known in self.hosts.items() if known.done]


def of_deploy(
    stage: str, view: Mapping[str, Any], told: Iterable[events.Event], called: str = ""
) -> StageProgress:
    """One stage as a deploy did it.

    Args:
        stage: its name.
        view: how the deploy ended, of the runner's view ``outcome``.
        told: the deploy's events.
        called: what people read in place of its name: a way back is a checkout.
    """
    state = DeployView()
    for event in told:
        state.hear(event)
    causes = {failure.host: failure for failure in state.failures}
    found: dict[str, HostStage] = {}
    for part in state.stages.values():
        if part.name != stage:
            continue
        for name in part.names:
            found.setdefault(name, HostStage(started=part.begun))
        for name, host in part.hosts.items():
            found[name] = HostStage(host.status, part.begun, host.ended, host.status == 0)
    ends = view.get("hosts")
    for name, end in ends.items() if isinstance(ends, dict) else ():
        known = found.get(name, HostStage())
        live = end.get("live") == view.get("commit")
        error = end.get("error") if isinstance(end.get("error"), dict) else {}
        failure = causes.get(name)
        found[name] = HostStage(
            known.status,
            known.started,
            known.returned,
            known.done if stage == "fetch" else live,
            str(error.get("cause") or (failure.cause if failure else "")),
            str(error.get("next") or (failure.next if failure else "")),
        )
    return StageProgress(called or stage, found)


def combined(report: Mapping[str, Any], tag: str, stages: Mapping[str, StageProgress]) -> list[StageProgress]:
    """Fetch and checkout as hosts tell now, with the statuses and times of the deploys that did them.

    Args:
        report: the runner's view ``report``.
        tag: what was synced last.
        stages: name to the stage as the last deploy of it told.
    """
    hosts = report.get("hosts")
    entries: dict[str, Any] = hosts if isinstance(hosts, dict) else {}
    both = []
    for name in ("fetch", "checkout"):
        before = stages.get(name, StageProgress(name)).hosts
        found = {
            host: _now(name, host, entry, tag, before.get(host, HostStage()))
            for host, entry in entries.items()
        }
        both.append(StageProgress(name, found))
    return both


def _now(stage: str, host: str, entry: Mapping[str, Any], tag: str, before: HostStage) -> HostStage:
    """One host as it tells now; who does not answer has completed nothing."""
    if not entry.get("reachable"):
        ask = "salt-run deploy.doctor" if entry.get("over_ssh") is True else f"salt {host} test.ping"
        return replace(before, status=None, done=False, cause="it does not answer", next=ask)
    runs = entry.get("tag") == tag
    if runs or (stage == "fetch" and tag in (entry.get("held") or ())):
        return replace(before, status=0, done=True, cause="", next="")
    said = entry.get("error")
    error = said if isinstance(said, dict) else {}
    cause, following = (str(error.get(key) or "") for key in ("cause", "next"))
    return replace(before, done=False, cause=cause or before.cause, next=following or before.next)
