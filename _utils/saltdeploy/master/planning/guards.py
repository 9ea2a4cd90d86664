"""The guards, in the order in which they are asked: what refuses a deploy before any host is asked for anything.

``deploy.sync`` stops at the first one that refuses, ``deploy.plan`` tells of all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from saltdeploy.config import Repo
from saltdeploy.config.freeze import active
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.lib.errors import ConfigError, DeployError, Frozen, NoTargets, Unsigned, Unsupported
from saltdeploy.lib.forcing import GUARDS
from saltdeploy.master.context import Master
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.master.plan_model import RESTART, SYNC, Request
from saltdeploy.master.planning import check_places, dependencies, release_guards, removal
from saltdeploy.master.planning.resolve import RepoRequest, ResolvedRepo
from saltdeploy.master.records import checks
from saltdeploy.master.waves import groups_of
from saltdeploy.protocol.orders import FETCH, ROLLBACK

Refuse = Callable[[DeployError], None]
"""Hears of each refusal."""

_Asked = TypeVar("_Asked", RepoRequest, ResolvedRepo)
_NAMED = 5  # hosts, and things that are wanted, in one sentence
_OLD = (ROLLBACK, RESTART)  # a release that was deployed before: these work while git does not
log = logging.getLogger(__name__)


def raise_it(refusal: DeployError) -> NoReturn:
    """What a deploy does with the first refusal."""
    raise refusal


def requests_of(
    request: Request,
    repos: Sequence[Repo],
    master: Master,
    *,
    is_locking: bool,
    needed: tuple[str, ...] = (),
) -> list[RepoRequest]:
    """Each repo of a request; see :class:`~saltdeploy.master.planning.resolve.RepoRequest`.

    Args:
        repos: the configuration of each repo of the request; the first one leads.
    """
    return [
        RepoRequest(request, repo, tag, repos[0], master, is_locking, needed)
        for repo, (_, tag) in zip(repos, request.parts, strict=True)
    ]


def refuse_early(
    request: Request, repos: Sequence[Repo], master: Master, needed: tuple[str, ...] = ()
) -> None:
    """Ask what can be asked before a lock is taken and before another repo is deployed for these.

    Raises:
        DeployError: the first guard that refuses.
    """
    for asked in requests_of(request, repos, master, is_locking=True, needed=needed):
        ask(OF_REQUEST, asked, raise_it)


def ask(guards: Sequence[tuple[str, Callable[[_Asked], None]]], asked: _Asked, refuse: Refuse) -> None:
    """Ask guards in their order."""
    for name, guard in guards:
        try:
            guard(asked)
        except DeployError as error:
            log.debug("guard %r refuses: %s", name, error)
            error.next = _whole_command(error.next, asked.request)
            refuse(error)


def _whole_command(advice: str, request: Request) -> str:
    """Advice that ends with a guard's name to be forced, with the command that forces it."""
    begin, forced, guard = advice.rpartition("force=")
    return f"{begin}{request.forcing(guard)}" if forced and guard in GUARDS else advice


# -- of what is configured and asked for ----------------------------------------------------------------


def _freeze(asked: RepoRequest) -> None:
    window = active(asked.repo.guards.freeze, asked.master.bus.now())
    forced = asked.request.forces("freeze") or asked.request.action == ROLLBACK  # the way back is always open
    if window is not None and not forced:
        raise Frozen(
            f"deploys are frozen: {window}",
            repo=asked.repo.name,
            path=f"repo_config:{asked.repo.name}:freeze",
            next="wait for its end; or, if it must be now: force=freeze",
        )


def _lock(asked: RepoRequest) -> None:
    """Whoever takes the lock is refused by that, and may wait for it."""
    if not asked.is_locking:
        locks = Locks(asked.master.root, asked.master.store, asked.master.bus.now)
        groups = groups_of(asked.repo, asked.request.limit)
        locks.refuse(asked.repo.name, groups, force=asked.request.forces("lock"))


def _dependencies(asked: RepoRequest) -> None:
    for name in asked.needed:
        dependencies.to_its_pin(name, asked.request, asked.master)


def _signing_key(asked: RepoRequest) -> None:
    if asked.request.action not in _OLD:
        Sealer(asked.repo, asked.master.root).refuse_half_set()


def _layout(asked: RepoRequest) -> None:
    if asked.request.action not in _OLD:
        refuse_contents(asked.repo)


def _master_checks(asked: RepoRequest) -> None:
    if asked.request.action != ROLLBACK:
        checks.gates(asked.repo, ())


# -- of the targets and the release ---------------------------------------------------------------------


def _targets(one: ResolvedRepo) -> None:
    """The deploy must be for the whole fleet: Salt leaves out minions whose grains it has lost."""
    took_part = set(one.pin.hosts) if one.pin else set()
    missing = sorted(took_part & set(one.master.accepted()) - set(one.everybody))
    if missing and not one.request.forces("targets"):
        names = missing[:_NAMED]
        minions = [name for name in names if name not in one.master.over_ssh]
        look = "see the grains of their entries in the roster (minion_opts)"
        if minions:
            look = f"salt -L {','.join(minions)} saltutil.refresh_grains"
        raise NoTargets(
            f"{', '.join(names)} took part in the last deploy and no longer matches {one.repo.targets.expression!r}",
            repo=one.repo.name,
            next=f"{look}; if it is meant so: force=targets",
        )


def _over_ssh(one: ResolvedRepo) -> None:
    """A host without a minion would fail when others have switched. The way back is always open."""
    hosts = [host for host in one.hosts if host in one.master.over_ssh]
    wanted = one.master.lacking(one.repo) if hosts and one.request.action != ROLLBACK else []
    if wanted:
        raise Unsupported(
            f"there is no Salt on {', '.join(hosts[:_NAMED])}, and the repo wants {'; '.join(wanted[:_NAMED])}",
            repo=one.repo.name,
            path=f"repo_config:{one.repo.name}",
            next="let commands do it (docs/ssh-hosts.md), or take these hosts out of its targets",
        )


def _transport(one: ResolvedRepo) -> None:
    """Where there is no URL hosts have nothing to fetch from, unless their own pillar names one: ``force`` tries."""
    if one.request.action not in (SYNC, FETCH):
        return
    name = one.repo.name
    if one.repo.contents.derivation and "git" in one.wanted.values():
        raise ConfigError(
            f"with transport git hosts fetch from the repository itself, and what is deployed is made of it here "
            f"({one.repo.contents.derivation})",
            repo=name,
            path=f"repo_config:{name}:transport",
            next="set transport to bundle, or another one; or leave out `subdirectory` and `attributes`",
        )
    if one.request.forces("transport"):
        return
    for transport, key, url, hint in (
        ("rsync", "rsync_url", one.repo.origin.rsync_url, "rsync://host/module, or host:/path"),
        (
            "git",
            "url",
            one.repo.origin.url,
            "a URL of the repository; or set upstream, or deployment_config:servers",
        ),
    ):
        if transport in one.wanted.values() and not url:
            raise ConfigError(
                f"transport {transport} needs a URL that targets fetch from, and there is none",
                repo=name,
                path=f"repo_config:{name}:{key}",
                next=f"set {key} to where targets reach it: {hint}",
            )


def _moved_tag(one: ResolvedRepo) -> None:
    if one.source is not None:
        release_guards.refuse_moved(one.release, one.history, one.source)


def _bad_release(one: ResolvedRepo) -> None:
    forced = one.request.forces("bad_release") or one.request.action in _OLD
    release_guards.refuse_bad(one.release, one.history, force=forced)


def _signature(one: ResolvedRepo) -> None:
    if one.repo.trust.require_signed and one.untagged is not None:
        raise Unsigned(
            f"{one.request.revision} has no tag, and the pillar wants one that is signed",
            repo=one.repo.name,
            path=f"repo_config:{one.repo.name}:require_signed",
            next=f"git tag --sign {one.release.tag} {one.release.commit}, push it, and deploy that tag",
        )
    if one.source is not None:
        release_guards.refuse_unsigned(one.repo, one.source, one.tag)


def _trees(one: ResolvedRepo) -> None:
    """Hosts would refuse it when it has arrived, or write something else than git."""
    if one.source is not None:
        before = one.pin.release.commit if one.pin else ""
        release_guards.refuse_flawed(one.repo, one.source, one.tag, before)


def _submodules(one: ResolvedRepo) -> None:
    if one.source is not None and not one.request.forces("submodules"):
        release_guards.refuse_forgotten_update(one.repo, one.source, one.tag)


def _empty(one: ResolvedRepo) -> None:
    if one.source is not None and not one.request.forces("empty_release"):
        removal.refuse_empty(one.repo, one.source, one.tag)


def _max_removed(one: ResolvedRepo) -> None:
    if one.source is not None and not one.request.forces("max_removed"):
        before = one.pin.release.commit if one.pin else ""
        removal.refuse_much_removed(one.repo, one.source, one.tag, before)


def _checks_file(one: ResolvedRepo) -> None:
    """Every host would refuse it when it has fetched the release."""
    if one.source is not None:
        check_places.brought(one.repo, one.source.repository, one.tag.commit)


OF_REQUEST: tuple[tuple[str, Callable[[RepoRequest], None]], ...] = (
    ("freeze", _freeze),
    ("lock", _lock),
    ("dependencies", _dependencies),
    ("signing_key", _signing_key),
    ("layout", _layout),
    ("master_checks", _master_checks),
)
OF_RELEASE: tuple[tuple[str, Callable[[ResolvedRepo], None]], ...] = (
    ("targets", _targets),
    ("over_ssh", _over_ssh),
    ("transport", _transport),
    ("moved_tag", _moved_tag),
    ("bad_release", _bad_release),
    ("require_signed", _signature),
    ("trees", _trees),
    ("submodules", _submodules),
    ("empty_release", _empty),
    ("max_removed", _max_removed),
    ("checks_file", _checks_file),
)
#: Names of all guards, in their order; those that can be forced are :data:`saltdeploy.lib.forcing.GUARDS`.
NAMES = tuple(name for name, _ in (*OF_REQUEST, *OF_RELEASE))
