"""What this target did and heard: results of stages, the last epoch seen, and a switch that is not done yet.

All of it is written before it is said or done. With it each stage runs once, however often it is asked for, an
order of an older deploy is refused, and a host that died between switch and restart is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, Fenced, StepUnknown
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.orders import FETCH, ROLLBACK, Order
from saltdeploy.protocol.release import Release, file_name
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.seals import Seal

_KEPT = 20


class Record:
    """The record of one repo on this host.

    Args:
        cache: a directory that survives restarts of the minion.
        repo: the repo's name.
    """

    def __init__(self, cache: Path, repo: str) -> None:
        self._directory = cache / file_name(repo)
        self._file = self._directory / "record.json"
        self._switch = self._directory / "switch.json"  # there while a switch is not done
        self.lock = self._directory / "lock"
        self.preseeding = self._directory / "preseed.lock"  # a deploy does not wait for it
        self.incoming = self._directory / "incoming"
        self.partial = self._directory / "partial"  # of payloads; a later fetch goes on from there

    def recall(self, deploy: str, stage: str, attempt: int = 1) -> Result | None:
        """The stored answer to a stage, or None when it was never finished here in this attempt or a later one."""
        wire = self._read()["results"].get(f"{deploy} {stage}")
        known = Result.from_wire(wire) if wire else None
        return known if known and known.attempt >= attempt else None

    def fetched(self) -> str:
        """The commit that was last asked to be fetched, whatever became of it; "" when none was."""
        return str(self._read().get("fetched", ""))

    def epoch(self) -> int:
        """The last epoch seen; 0 when none was."""
        return self._read()["epoch"]

    def heard(self) -> int:
        """The last epoch that was seen before the deploy that was heard of last; 0 when none was."""
        return int(self._read().get("heard", 0))

    def admit(self, order: Order) -> None:
        """Note the order's epoch, and what it fetches, or that its deploy is being rolled back.

        Raises:
            Fenced: this host has heard of a newer deploy, or is not to go forth with this one any more.
        """
        known = self._read()
        if order.epoch < known["epoch"]:
            raise Fenced(
                f"the order has epoch {order.epoch}, and this host has seen epoch {known['epoch']}{_by(known)}: "
                "a newer deploy has begun",
                next=_past(order),
            )
        if order.stage != ROLLBACK and not order.undo and order.deploy == known.get("rolled_back"):
            raise Fenced(  # a job that was lost on its way and comes late would undo the rollback
                f"an order to {order.stage} came late: this deploy is being rolled back",
                next=f"salt-run deploy.watch repo={order.release.repo}",
            )
        news = {**known, "epoch": order.epoch}
        if order.epoch > known["epoch"] and order.deploy != known.get("deploy"):
            news |= {"deploy": order.deploy, "heard": known["epoch"]}
        if order.stage == FETCH:
            news["fetched"] = order.release.commit
        if order.stage == ROLLBACK and order.deploy != "pin":
            news["rolled_back"] = order.deploy
            news |= _pin_by(
                order, news
            )  # at once: whatever becomes of it, this host is not to go forth again by itself
        if news != known:
            self._write(news)

    def remember(self, result: Result) -> None:
        """Store an answer durably; the oldest are dropped."""
        known = self._read()
        results = {**known["results"], f"{result.deploy} {result.stage}": result.to_wire()}
        while len(results) > _KEPT:
            results.pop(next(iter(results)))
        self._write({**known, "results": results})

    def begin_once(self, order: Order) -> None:
        """Note durably that a step is about to run that runs once.

        Raises:
            StepUnknown: it was begun before, and there is no answer: whoever did it has died. It is not done again.
        """
        known, run = self._read(), {"deploy": order.deploy, "number": order.attempt, "step": order.step}
        if known.get("once") == run:
            raise StepUnknown(
                f"step {order.step} was begun here, and what ran it has died: nobody knows how far it came",
                next=f"look whether it was done; then salt-run deploy.answer continue id={order.deploy} if it was, or retry",
            )
        self._write({**known, "once": run})

    def brought(self, order: Order) -> None:
        """Note that a deploy has switched this host: that is what it is to run, whatever its pillar still says."""
        known = self._read()
        self._write({**known, **_pin_by(order, known)})

    def pinned(self) -> dict[str, Any]:
        """``tag``, ``commit`` and ``order`` of what the last deploy brought here, as a pillar tells a pin; {} when none did."""
        found = self._read().get("pinned")
        return found if isinstance(found, dict) else {}

    def keep_seal(self, release: Release, seal: Seal) -> None:
        """Store the seal of a release that was brought here; the oldest are dropped."""
        known = self._read()
        others = {commit: other for commit, other in known["seals"].items() if commit != release.commit}
        seals = {**others, release.commit: {"tag": release.tag, **seal.to_wire()}}
        if seals != known["seals"]:
            self._write({**known, "seals": dict([*seals.items()][-_KEPT:])})

    def seal_of(self, release: Release) -> Seal | None:
        """The seal that the release came with; None when it had none, or another tag."""
        wire = self._read()["seals"].get(release.commit)
        return Seal.from_wire(wire) if wire and wire.get("tag") == release.tag else None

    def maintenance(self) -> dict[str, Any]:
        """Since when (``since``, seconds since the epoch) and ``why`` this host is under maintenance, and whether
        ``by_hand``; {} where it is not."""
        found = self._read().get("maintenance")
        return found if isinstance(found, dict) else {}

    def note_maintenance(self, found: dict[str, Any]) -> None:
        """Store that, or that it is over."""
        known = self._read()
        if found != known.get("maintenance", {}):
            self._write({**known, "maintenance": found})

    def begin_switch(self, commit: str) -> None:
        """Note durably that this host is being switched: what runs may not be what is live."""
        disk.clear_asides(self._switch)
        self._directory.mkdir(parents=True, exist_ok=True)
        disk.write_json(self._switch, {"commit": commit}, mode=0o600)

    def settle(self) -> None:
        """Note that the switch is done: what is live has been taken up, and found to be well."""
        self._switch.unlink(missing_ok=True)
        disk.fsync_dir(self._directory)

    def is_unsettled(self) -> bool:
        """Whether a switch has begun and not come to a good end."""
        return self._switch.exists()

    def _read(self) -> dict[str, Any]:
        known = disk.read_json(self._file, {"epoch": 0, "results": {}})
        try:
            tables = {"results": dict(known["results"]), "seals": dict(known.get("seals", {}))}
            return {**known, "epoch": int(known["epoch"]), **tables}
        except (TypeError, KeyError, ValueError):
            raise Corrupt(
                "the record of this host's deploys holds something else",
                path=str(self._file),
                next=f"look at it, move it away (mv -- {self._file} {self._file}.bad), then run the same command again",
            ) from None

    def _write(self, known: dict[str, Any]) -> None:
        disk.clear_asides(self._file)
        disk.write_json(self._file, known, mode=0o600)


def _by(known: dict[str, Any]) -> str:
    """Whose epoch it is; a record of an older version does not tell."""
    return f" of deploy {known['deploy']}" if known.get("deploy") else ""


def _past(order: Order) -> str:
    """What to do about a newer deploy: to look at it, or to go past an epoch of which nothing is left but its number."""
    repo = argument("repo", order.release.repo)
    if order.deploy == "pin":
        return f"salt-run deploy.watch {repo}"
    again = f"salt-run deploy.sync {repo} {argument('tag', order.release.tag)} force=epoch"
    return f"salt-run deploy.report {repo}; if neither this master nor another one deploys it now: {again}"


def _pin_by(order: Order, known: dict[str, Any]) -> dict[str, Any]:
    """What the record says of the pin by an order of the deploy that was heard of last.

    An operator who leads one host back by hand changes no pin: that is no deploy of the master's.
    """
    if order.deploy != known.get("deploy"):
        return {}
    release = order.release
    seal = order.seal or Seal.from_wire(known["seals"].get(release.commit))
    pin = Order("pin", order.epoch, FETCH, release, order.transport, group=order.group, seal=seal)
    return {"pinned": {"tag": release.tag, "commit": release.commit, "order": pin.to_wire()}}
