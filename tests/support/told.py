"""Deploys that are written into their journals step by step, as a master writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.master.records.journal import Journal, Journals
from saltdeploy.protocol import events

FIRST, SECOND, THIRD = (f"2026112312000000000{number}" for number in (1, 2, 3))
REPO = "test/testrepo"


class Told:
    """A deploy that is written into its journal, step by step."""

    def __init__(self, root: Path, deploy: str, tag: str, now: float, *hosts: str, **more: Any) -> None:
        self.deploy, self.tag, self.now, self.hosts = deploy, tag, now, hosts
        self._writer = Journals(root).write(REPO, deploy)
        self._more = {"action": "sync", "left_out": 0, **more}

    def _tell(self, build: Any, **fields: Any) -> None:
        self.now += 1
        with self._writer as journal:
            assert isinstance(journal, Journal)
            journal.append(build(self.deploy, REPO, self.now, **fields))

    def begin(self) -> Told:
        self._tell(events.started, tag=self.tag, commit="1" * 40, user="alice", hosts=len(self.hosts), groups=[],
                   reason="bump", epoch=int(self.now), **self._more)  # fmt: skip
        order = {"release": {"repo": REPO, "tag": self.tag, "commit": "1" * 40}}
        self._tell(events.planned, script={"parts": [{"order": order, "hosts": list(self.hosts)}]})
        return self

    def ask(self, stage: str, *hosts: str) -> Told:
        self._tell(events.asked, stage=stage, wave=0, hosts=list(hosts or self.hosts))
        return self

    def answer(
        self, stage: str, *hosts: str, status: int = 0, live: str = "", unchanged: bool = False
    ) -> Told:
        error = DeployError("the disk is full") if status else None
        for host in hosts or self.hosts:
            self._tell(events.host_finished, host=host, stage=stage, status=status, error=error, facts={}, live="",
                       live_tag=live, unchanged=unchanged)  # fmt: skip
        return self

    def end(self, outcome: str = "CONVERGED") -> Told:
        self._tell(events.finished, tag=self.tag, outcome=outcome, ok=2, total=2, reason="", next="")
        return self

    def whole(self) -> Told:
        return (
            self.begin().ask("fetch").answer("fetch").ask("checkout").answer("checkout", live=self.tag).end()
        )
