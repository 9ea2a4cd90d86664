"""Masters with a memory and fleets with one of their own: what deploys leave behind, without the deploys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.checks import CheckContext, Response
from saltdeploy.master.context import Master
from saltdeploy.master.plan_model import Part, Plan
from saltdeploy.master.planning import way_back as master_way_back
from saltdeploy.master.records.history import History, history_of
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.pins import Pin, Pins
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

from tests.support.stores import Directory
from tests.unit.master.buses import Quiet
from tests.unit.master.masters import NOON

REPO = "demo"
HOSTS = ("web1", "web2", "web3")


def release(tag: str, commit: str = "") -> Release:
    """A release; its commit follows from its tag, unless it is another tag of one that there is."""
    return Release(REPO, tag, f"{int((commit or tag)[1:]):040x}")


def script(about: Release, action: str, deploy: str, epoch: int, *, partial: bool) -> Plan:
    """What was decided."""
    part = Part(Order(deploy, epoch, FETCH, about), HOSTS, partial=partial)
    return Plan(action, "alice", "", (part,), (Wave("", "", HOSTS, len(HOSTS), 0),), Rules())


@dataclass
class Host:
    """What a host knows by itself: the epoch that it heard of last, and its releases, in the order in which they were live."""

    epoch: int = 0
    lived: list[str] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)

    @property
    def live(self) -> str:
        return self.lived[-1] if self.lived else ""

    def switch(self, tag: str, *, back: bool = False) -> None:
        """Show another release; ``back``: what is left is bad."""
        if back and self.live != tag:
            self.bad.add(self.live)
        self.bad.discard(tag)
        self.lived = [*(each for each in self.lived if each != tag), tag][-5:]

    @property
    def holdings(self) -> Holdings:
        good = [tag for tag in self.lived[:-1] if tag not in self.bad]
        tags = {release(tag).commit: tag for tag in self.lived}
        live, previous = (release(tag).commit if tag else "" for tag in (self.live, good[-1] if good else ""))
        return Holdings(live, previous, tuple(tags), tags)


@dataclass
class Fleet(Quiet):
    """A bus with hosts at its other end that say what they have; who is in ``silent`` says nothing."""

    hosts: dict[str, Host] = field(default_factory=lambda: {host: Host() for host in HOSTS})
    silent: set[str] = field(default_factory=set)
    clock: float = NOON
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def new_jid(self) -> str:
        return "20261123120000000000"

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        assert function == "deploy.status"
        for name in hosts:
            if name not in self.silent:
                host = self.hosts[name]
                answer = Result(name, REPO, epoch=host.epoch, holdings=host.holdings)
                self.messages.append((f"salt/job/{jid}/ret/{name}", {"return": answer.to_wire()}))


def master(root: Path, fleet: Fleet) -> Master:
    """A master of that fleet; all that it remembers is below one directory."""
    return Master(
        root=root,
        bus=fleet,
        store=Directory(root / "store"),
        targets=lambda expression, kind: list(HOSTS),
        accepted=lambda: list(HOSTS),
        secret=lambda host: "",
        user="alice",
        place=CheckContext(call=lambda *_: True, get=lambda *_: Response(200)),
    )


def repo(root: Path) -> config.Repo:
    section = {"location": str(root / "live"), "source": str(root / "none"), "targets": "web*"}
    section["targets_type"] = "glob"
    return config.load({"deployment_config": {}, "repo_config": {REPO: section}}, REPO)


class Past:
    """Deploys of a repo, as the journals, the history and the pins of a master have them."""

    def __init__(self, root: Path, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or Fleet()
        self.master = master(root, self.fleet)
        self.repo = repo(root)
        self._epoch = 0

    @classmethod
    def of(cls, root: Path, *tags: str) -> Past:
        """A fleet to which these releases were deployed, one after the other."""
        past = cls(root)
        for tag in tags:
            past.deploy(tag)
        return past

    @property
    def history(self) -> History:
        return history_of(REPO, self.master.root, self.master.store, running=False)

    def record(
        self,
        tag: str,
        action: str = "sync",
        outcome: str = "CONVERGED",
        *,
        accepted: bool | None = None,
        deploy: str = "",
        epoch: int = 0,
        commit: str = "",
        left_out: int = 0,
        left: dict[str, str] | None = None,
        time: float = 0.0,
    ) -> None:
        """A deploy has begun and ended."""
        self._epoch = epoch = epoch or self._epoch + 10
        deploy, about = deploy or f"{epoch:020d}", release(tag, commit)
        of = (deploy, REPO, time or NOON + epoch)
        told = [
            events.started(*of, tag=tag, commit=about.commit, user="alice", hosts=3, action=action, groups=[],
                           left_out=left_out, reason="", epoch=epoch),
            events.planned(*of, script=script(about, action, deploy, epoch, partial=bool(left_out)).to_wire()),
        ]  # fmt: skip
        if accepted if accepted is not None else outcome == "CONVERGED":
            told.append(events.pinned(*of, tag=tag, commit=about.commit))
            pin = Pin(Order("pin", epoch, FETCH, about), HOSTS, partial=bool(left_out))
            Pins(self.master.root).put(pin)
        told.append(
            events.finished(*of, tag=tag, outcome=outcome, ok=2, total=3, reason="", next="", left=left)
        )
        with Journals(self.master.root).write(REPO, deploy) as journal:
            for event in told:
                journal.append(event)
        take = {"started": History.started, "pinned": History.accepted, "finished": History.finished}
        for event in told:
            if event["event"] in take:
                take[event["event"]](History(self.master.store), event)

    def deploy(self, tag: str, action: str = "sync", outcome: str = "CONVERGED", **more: Any) -> None:
        """The same, and the hosts that are not silent take part."""
        self.record(tag, action, outcome, **more)
        for name, host in self.fleet.hosts.items():
            if name not in self.fleet.silent:
                host.epoch = self._epoch
                host.switch(tag, back=action == "rollback")

    def way_back(self, to: str = "") -> master_way_back.WayBack:
        return master_way_back.find(self.repo, to, list(HOSTS), self.history, self.master)

    def bad(self) -> set[str]:
        return {version["tag"] for version in self.history.versions(REPO) if version["bad"]}
