"""Which journals ``deploy.gc`` deletes: those that are old by the pillar, and that nothing needs.

What stays whatever the pillar says: all from which pins, the way back, and what is bad could be told again if the
master's cache were lost; the newest deploy, which may be resumed; and what redis has not been told yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config.journals import JournalRetention
from saltdeploy.config.repo import Repo
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.plan_model import RESTART
from saltdeploy.master.records.history import history_of
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.lineage import lineage
from saltdeploy.protocol.orders import ROLLBACK
from saltdeploy.protocol.release import file_name

_STEPS = 5  # releases that a repo can be led back through, one after the other, from what journals alone tell
_DAY = 86_400.0  # seconds

Versions = Sequence[dict[str, Any]]
_NEW, _YOUNG = "among the newest", "too young"  # which nobody has to be told


@dataclass(frozen=True)
class Readers:
    """Who reads journals beside deploys.

    Attributes:
        redis: gives how many bytes of each deploy's journal it was told; None where there is no redis.
        sinks: the names of all sinks of signals; None where they are not known.
    """

    redis: Callable[[], Mapping[str, int]] | None = None
    sinks: Collection[str] | None = None


@dataclass
class Retained:
    """What was found of one repo.

    Attributes:
        dropped: how many journals go.
        kept: why older ones stay -> how many.
    """

    dropped: int = 0
    kept: Counter[str] = field(default_factory=Counter)

    def to_wire(self) -> dict[str, Any]:
        """As plain data for views."""
        return {"dropped": self.dropped, **({"kept": dict(self.kept)} if self.kept else {})}


def collect(
    repos: Iterable[Repo], master: Master, sweep: Cleanup, readers: Readers, *, whole: bool
) -> dict[str, dict[str, Any]]:
    """Drop the journals that are old and not needed, and what lies beside them.

    Args:
        repos: whose policy is known.
        whole: these are all that the pillar has: the journals of others, which were taken out of it, are looked at as well.

    Returns:
        Repo to what goes and what stays although it is old; repos without either are left out.
    """
    journals, policies = Journals(master.root), {repo.name: repo.journals for repo in repos}
    if whole:
        policies = {name: policies.get(name, JournalRetention()) for name in journals.repos()}
    of = _repos_of_each(journals)
    why = {name: _why_it_stays(name, policy, master) for name, policy in policies.items()}
    untold = _untold(readers)
    found = {name: Retained() for name in policies}
    for deploy, names in of.items():
        lead = journals.repo_of(deploy) or names[0]
        reasons = [why[name](deploy) if name in why else _NEW for name in names]
        reasons.append(untold(deploy, journals.path(lead, deploy)))
        stays = next(filter(None, reasons), "")
        if not stays:
            links = [journals.path(name, deploy) for name in names if name != lead]
            notes = [master.root / "control" / f"{file_name(name)}.{deploy}" for name in names]
            sweep.drop("journals", *links, journals.path(lead, deploy), *notes)
        for name in names:
            if name in found and not stays:
                found[name].dropped += 1
            elif name in found and stays not in (_NEW, _YOUNG):
                found[name].kept[stays] += 1
    if whole and readers.sinks is not None:
        _drop_positions(master.root, readers.sinks, sweep)
    return {name: each.to_wire() for name, each in found.items() if each.dropped or each.kept}


def needed(repo: str, versions: Versions) -> frozenset[str]:
    """The deploys without whose journals another release would be the present one, the one before, or bad.

    Args:
        versions: see :meth:`saltdeploy.master.records.history.History.versions`.
    """
    told = list(reversed(versions))
    since = _begin_of_the_line(repo, told)
    bad = {version["commit"] for version in told if version["bad"]}
    of_marks: set[str] = set()
    judged = False
    for version in told:
        if version["commit"] in bad:
            of_marks.add(version["deploy"])
            judged = True
        elif judged and version["accepted"]:
            judged = False
            if version["action"] == ROLLBACK:
                of_marks.add(version["deploy"])
    return frozenset({version["deploy"] for version in told[since:]} | of_marks)


def _begin_of_the_line(repo: str, told: Versions) -> int:
    """From which deploy on journals give the same line of releases, and the pin for the whole fleet."""
    tail = lineage(repo, list(reversed(told))).steps[-_STEPS:]
    if not tail:
        return len(told)
    for_all = [at for at, one in enumerate(told) if _is_accepted(one) and not one["left_out"]]
    first = tail[0].release
    begins = [
        at
        for at, one in enumerate(told[: for_all[-1] + 1] if for_all else ())
        if _is_accepted(one) and first is not None and first.commit == one["commit"]
    ]
    for at in reversed(begins):
        if lineage(repo, list(reversed(told[at:]))).steps[-len(tail) :] == tail:
            return at
    return 0


def _is_accepted(version: dict[str, Any]) -> bool:
    return bool(version["accepted"]) and version["action"] != RESTART


def _why_it_stays(repo: str, policy: JournalRetention, master: Master) -> Callable[[str], str]:
    """Tells of a deploy why its journal stays; "" where it may go."""
    journals = Journals(master.root)
    newest = set(journals.all(repo)[-policy.deploys :])
    older_than = master.bus.now() - policy.days * _DAY
    try:
        history = history_of(repo, master.root, master.store, running=is_held(master.root, repo))
        wanted = needed(repo, history.versions(repo))
    except DeployError as error:
        unread = f"the history cannot be read: {error.cause}"
        return lambda _: unread

    def why(deploy: str) -> str:
        if deploy in newest:
            return _NEW
        if _last_written(journals.path(repo, deploy)) >= older_than:
            return _YOUNG
        return "pins, the way back or a bad release are told by them" if deploy in wanted else ""

    return why


def _last_written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # the link to one that is gone
        return path.lstat().st_mtime


def _untold(readers: Readers) -> Callable[[str, Path], str]:
    """Tells of a deploy why somebody still has to be told its journal; "" where nobody has."""
    if readers.redis is None:
        return lambda *_: ""
    try:
        at = readers.redis()
    except DeployError as error:
        away = error.cause
        return lambda *_: away

    def why(deploy: str, path: Path) -> str:
        size = path.stat().st_size if path.is_file() else 0
        return "" if at.get(deploy, 0) >= size else "redis has not been told them"

    return why


def _repos_of_each(journals: Journals) -> dict[str, list[str]]:
    """Deploy to its repos, of which several have a link to one journal."""
    of: dict[str, list[str]] = {}
    for name in journals.repos():
        for deploy in journals.all(name):
            of.setdefault(deploy, []).append(name)
    return of


def _drop_positions(root: Path, sinks: Collection[str], sweep: Cleanup) -> None:
    """How far sinks had been told that the pillar has no more; one that comes back begins with what is new then."""
    for path in sorted((root / "signals").glob("*.json")):
        if path.stem not in sinks:
            sweep.drop("signals", path)
