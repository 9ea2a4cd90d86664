"""A master, a repository and a few hosts, as far as a deploy needs them before it asks any host for anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from saltdeploy.checks import CheckContext, Response
from saltdeploy.master.context import Master
from saltdeploy.master.plan_model import Request
from saltdeploy.master.planning import plan as plans
from saltdeploy.master.planning import preview as previews
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, tree
from tests.support.stores import Directory
from tests.unit.master.buses import Quiet
from tests.unit.master.masters import NOON

SAME = "".join(
    hashlib.sha256(bytes([n])).hexdigest() for n in range(30)
)  # a release is larger than what changes
V0 = tree(keep=SAME, change="old", remove="gone")
V1 = tree(keep=SAME, change="new", remove="gone", add="here")
V2 = tree(keep=SAME, change="newer", add="here", more="here")
V3 = {**V2, **tree(gone="again")}
HOSTS = ("web1", "web2", "web3", "web4")


@dataclass
class Fleet(Quiet):
    """A bus with hosts at its other end that say what they hold; who is in ``silent`` says nothing."""

    holds: dict[str, Holdings]
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    clock: float = NOON
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def new_jid(self) -> str:
        return "20261123120000000000"

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        self.asked.append(function)
        for host in hosts:
            if host not in self.silent:
                answer = Result(host, arguments[0], holdings=self.holds[host]).to_wire()
                self.messages.append((f"salt/job/{jid}/ret/{host}", {"return": answer}))


class World:
    """A master, a repository with four releases, and four hosts: at v0, at v1, empty, and one that is silent."""

    def __init__(self, root: Path) -> None:
        self.source = Source(root / "source", V0, V1, V2, V3)
        self.fleet = Fleet(
            {"web1": self.at(0), "web2": self.at(1), "web3": Holdings(), "web4": self.at(0)}, {"web4"}
        )
        self.targets = list(HOSTS)
        self.deployment: dict[str, Any] = {}
        self.others: dict[str, dict[str, Any]] = {}
        self.section: dict[str, Any] = {
            "location": str(root / "live"),
            "source": str(self.source.git_dir),
            "targets": "*",
            "max_removed": "100%",
            "groups": [
                {"name": "canary", "targets": "web1", "hold": 60},
                {"name": "rest", "batch": "50%", "failure_limit": 1},
            ],
        }
        self.master = Master(
            root=root / "master",
            bus=self.fleet,
            store=Directory(root / "store"),
            targets=lambda expression, kind: [h for h in self.targets if expression in ("*", h)],
            accepted=lambda: list(HOSTS),
            secret=lambda host: "",
            user="alice",
            place=CheckContext(call=lambda *_: True, get=lambda *_: Response(200)),
        )
        self.pin(0)

    def at(self, number: int) -> Holdings:
        release = self.source.release(number)
        return Holdings(live=release.commit, held=(release.commit,), tags={release.commit: release.tag})

    def pin(self, number: int) -> None:
        release = self.source.release(number)
        Pins(self.master.root).put(Pin(Order("pin", 1, FETCH, release, "bundle"), HOSTS))

    @property
    def pillar(self) -> dict[str, Any]:
        return {"deployment_config": self.deployment, "repo_config": {"demo": self.section, **self.others}}

    def plan(self, tag: str = "v2", **wish: Any) -> dict[str, Any]:
        return previews.preview(Request("sync", "demo", tag, **wish), self.pillar, "", self.master)

    def prepare(self, known: str, tag: str = "v2", **wish: Any) -> Any:
        """As far as a deploy comes before it asks any host."""
        return self.pack(Request("sync", "demo", tag, plan=known, **wish))

    def pack(self, request: Request) -> Any:
        """What a deploy decides and packs."""
        leases: dict[str, Any] = {"demo": SimpleNamespace(epoch=7)}
        repos = plans.configured(request, self.pillar, "")
        draft = plans.make_plan(request, repos, leases, self.master)
        return plans.pack(draft, "20261123120000000000", self.master)
