"""What is looked up for a request before anything is decided: targets, release, history, and where a roll back leads."""

from __future__ import annotations

from dataclasses import dataclass

from saltdeploy.config import Repo
from saltdeploy.git.repository import Tag
from saltdeploy.lib.errors import BadArguments, DeployError, NoTargets, NothingToRestart
from saltdeploy.lib.spelling import argument
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.suspended import Suspension, Suspensions
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.plan_model import RESTART, Request
from saltdeploy.master.planning import revisions, transport_choice
from saltdeploy.master.planning import way_back as master_way_back
from saltdeploy.master.planning.revisions import Untagged
from saltdeploy.master.planning.way_back import WayBack
from saltdeploy.master.records.history import History, history_of
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.waves import everybody, limited
from saltdeploy.protocol.orders import ROLLBACK
from saltdeploy.protocol.release import Release


@dataclass(frozen=True)
class RepoRequest:
    """One repo of a request; nothing was looked up yet.

    Attributes:
        tag: as the operator wrote it.
        lead: the repo that leads the deploy.
        is_locking: whoever asks holds the repo's lock or is about to take it; False for a plan, which takes none.
        needed: repos that are brought to their pinned releases first.
    """

    request: Request
    repo: Repo
    tag: str
    lead: Repo
    master: Master
    is_locking: bool
    needed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResolvedRepo:
    """One repo of a request, and what was found out about it.

    Attributes:
        everybody: all its targets; ``hosts``: those that the deploy is for.
        wanted: host to the transport that somebody has named for it; ``auto`` among them.
        source: where the release was read from; None of one that is known from before.
        history: complete up to the newest deploy that has ended.
        way_back: of a roll back.
        suspended: targets that operators have suspended, with why; the deploy is not for them.
        untagged: of a commit that is deployed without a tag; ``tag`` and ``release`` have the one that it would get.
    """

    asked: RepoRequest
    pin: Pin | None
    everybody: list[str]
    hosts: list[str]
    wanted: dict[str, str]
    source: Source | None
    tag: Tag
    release: Release
    history: History
    way_back: WayBack | None = None
    untagged: Untagged | None = None
    suspended: tuple[Suspension, ...] = ()

    @property
    def request(self) -> Request:
        """What an operator asks for."""
        return self.asked.request

    @property
    def repo(self) -> Repo:
        """The repo's configuration."""
        return self.asked.repo

    @property
    def master(self) -> Master:
        """The master's side of the world."""
        return self.asked.master

    @property
    def previous(self) -> str:
        """The tag of what the fleet should be running before this deploy."""
        if self.way_back is not None and self.way_back.warning:  # then it is not what this master has pinned
            return self.way_back.left.tag if self.way_back.left else ""
        return self.pin.release.tag if self.pin else ""

    @property
    def said(self) -> str:
        """What the deploy is of, in a form that stays as long as it means the same: a name that is made each time does not."""
        request = self.request
        return f"commit {self.release.commit}" if request.commit else request.revision or self.release.tag

    @property
    def is_pinned(self) -> bool:
        """Whether the fleet should be running the release already."""
        return self.pin is not None and self.pin.release == self.release

    @property
    def left_out(self) -> list[str]:
        """Targets that a limit leaves out, or an operator."""
        chosen = set(self.hosts)
        return [host for host in self.everybody if host not in chosen]

    def open_source(self) -> Source:
        """Where the release can be packed from."""
        return self.source or Source(self.repo, self.master.root)


def resolve(asked: RepoRequest) -> ResolvedRepo:
    """Look everything up.

    Raises:
        NoTargets: for nobody.
        NoSuchTag, NoSuchRevision, Unavailable, NothingToRestart, NothingToRollBackTo: for no release.
        ConfigError: the transport that is wanted does not exist or does not fit.
    """
    request, repo, master = asked.request, asked.repo, asked.master
    try:
        targets = everybody(repo, master.targets)
    except DeployError as error:
        raise error.at(repo=repo.name) from None
    hosts, apart = _less_suspended(limited(asked.lead, targets, request.limit, master.targets), asked)
    running = not asked.is_locking and is_held(master.root, repo.name)
    history = history_of(repo.name, master.root, master.store, running=running)
    wanted = transport_choice.of_each(request.transport, repo, hosts, master.targets)
    back = (
        master_way_back.find(repo, asked.tag, hosts, history, master) if request.action == ROLLBACK else None
    )
    pin = Pins(master.root).get(repo.name)
    if request.revision:
        source = Source(repo, master.root)
        tag, untagged = revisions.find(request, source, repo, history, master.bus.now())
        tag = source.release(tag)
        release = Release(repo.name, tag.name, tag.commit)
        return ResolvedRepo(
            asked, pin, targets, hosts, wanted, source, tag, release, history, None, untagged, apart
        )
    opened, tag, release = _known(back.release) if back else _release(asked, hosts)
    return ResolvedRepo(
        asked, pin, targets, hosts, wanted, opened, tag, release, history, back, suspended=apart
    )


def _less_suspended(hosts: list[str], asked: RepoRequest) -> tuple[list[str], tuple[Suspension, ...]]:
    """The hosts that are not suspended, and why the others are."""
    known = Suspensions(asked.master.root).at(asked.master.bus.now(), asked.repo.name)
    apart = tuple(known[host] for host in hosts if host in known)
    left = [host for host in hosts if host not in known]
    if not left:
        raise NoTargets(
            f"all of them are left out: {'; '.join(map(str, apart))}",
            repo=asked.repo.name,
            next=f"salt-run deploy.readmit {apart[0].host} {argument('repo', apart[0].repo) if apart[0].repo else ''}".rstrip(),
        )
    return left, apart


def _release(asked: RepoRequest, hosts: list[str]) -> tuple[Source | None, Tag, Release]:
    """The release; of a restart from what is known alone, as of a rollback: they work while git does not."""
    if asked.request.action == RESTART:
        return _known(_pinned(asked.repo, hosts, asked.master))
    source = Source(asked.repo, asked.master.root)
    tag = source.release(source.tag(asked.tag))
    return source, tag, Release(asked.repo.name, tag.name, tag.commit)


def _known(release: Release) -> tuple[None, Tag, Release]:
    return None, Tag(release.tag, release.commit, release.commit), release


def _pinned(repo: Repo, hosts: list[str], master: Master) -> Release:
    """The one release that these hosts should be running."""
    pins = Pins(master.root).of_hosts(repo.name, hosts).values()
    found = list(dict.fromkeys(pin.release for pin in pins if pin))
    if len(found) > 1:
        raise BadArguments(
            f"these hosts are to run different releases: {', '.join(release.tag for release in found)}",
            repo=repo.name,
            next="name those of one release: limit=... (salt-run deploy.report tells whose pin is whose)",
        )
    if not found:
        raise NothingToRestart(
            "no release of it is pinned, so nothing of it should be running",
            repo=repo.name,
            next=f"salt-run deploy.sync repo={repo.name} tag=...",
        )
    if not repo.hooks.restart:
        raise NothingToRestart(
            "its pillar names nothing to restart",
            repo=repo.name,
            path=f"repo_config:{repo.name}:service_name",
            next="name its services there (or restart, signal, command); see docs/configuration.md",
        )
    return found[0]
