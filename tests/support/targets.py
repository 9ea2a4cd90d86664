"""A target without Salt: real stages, a real repository, payloads that travel by copying a file."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saltdeploy.content.payloads import Payloads
from saltdeploy.git.repository import Progress
from saltdeploy.minion import stages
from saltdeploy.minion.context import Task
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order, Payload
from saltdeploy.protocol.result import Result
from saltdeploy.transports.bundle import Bundle

from tests.support.repositories import Source, repo


class Copies:
    """A carrier that copies payloads from the master's directory; ``spoil`` may change what arrives."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self.spoil = lambda path: None
        self.fetched: list[str] = []

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        path = self._payloads.path(payload.sha256)
        assert path is not None
        shutil.copyfile(path, destination)
        self.fetched.append(payload.sha256)
        self.spoil(destination)
        progress("receive", payload.size, payload.size, "bytes")


class Target:
    """A host that takes the repo ``demo``, and the master's side of its orders.

    Attributes:
        location: the live path.
        events: what the host sent: (tag, data).
        calls: the Salt functions that it called; ``answers`` says what they give.
        now: its clock.
    """

    def __init__(self, place: Path, source: Source, **keys: Any) -> None:
        self.source = source
        self.location = place / "srv" / "demo"
        self.cache = place / "cache"
        self.repo = repo(self.location, **keys)
        self.payloads = Payloads(place / "payloads")
        self.carrier = Copies(self.payloads)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._calls = place / "calls"
        self.answers: dict[str, Any] = {}
        self.now = 1_000_000.0
        self._deploys = itertools.count(1)
        self.host = stages.Host(
            name="web1",
            cache=self.cache,
            carrier=self.carrier,
            send=lambda tag, data: self.events.append((tag, data)),
            call=self._call,
            clock=lambda: self.now,
        )

    @property
    def calls(self) -> list[tuple[str, list[Any]]]:
        """Kept on disk: a function of Salt is called in a process of its own."""
        if not self._calls.exists():
            return []
        return [(function, arguments) for function, arguments in map(json.loads, self._calls.open())]

    def _call(self, function: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        with self._calls.open("a") as file:
            file.write(json.dumps([function, arguments]) + "\n")
        answer = self.answers.get(function, True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def payload(self, number: int, base: int | None = None) -> Payload:
        """What brings a host from release ``base``, or from nothing, to release ``number``."""
        commit = self.source.tag(base).commit if base is not None else ""
        payload, *_ = Bundle().pack(
            self.payloads, self.source.repository, "demo", self.source.tag(number), commit
        )
        return payload

    def order(
        self,
        number: int,
        stage: str = FETCH,
        *,
        deploy: int | str | None = None,
        epoch: int = 1,
        bases: Iterable[int | None] = (None,),
    ) -> Order:
        """An order for a release; each call is another deploy unless ``deploy`` says which."""
        identity = next(self._deploys) if deploy is None else deploy
        return Order(
            deploy=f"{identity:020d}" if isinstance(identity, int) else identity,
            epoch=epoch,
            stage=stage,
            release=self.source.release(number),
            transport=self.repo.delivery.transport,
            payloads=tuple(self.payload(number, base) for base in bases) if stage == FETCH else (),
        )

    def run(self, order: Order) -> Result:
        return stages.run([Task(order, self.repo)], self.host)

    def deploy(self, number: int, **options: Any) -> list[Result]:
        """Fetch and checkout of one deploy; the results."""
        deploy = options.pop("deploy", None) or next(self._deploys)
        results = []
        for stage in (FETCH, CHECKOUT):
            results.append(self.run(self.order(number, stage, deploy=deploy, **options)))
        return results
