"""Pillar to frozen :class:`Repo`; a wrong key is one error that names its pillar path.

Trebuchet's pillar (``deployment_config`` and ``repo_config``) is read unchanged. The keys that are new
stand behind Trebuchet's in :mod:`saltdeploy.config.schema`. Each section of a :class:`Repo` has its reader beside
it, in a file of its own.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import (
    blobs,
    delivery,
    guards,
    hooks,
    journals,
    layouts,
    origin,
    paths,
    pillar_text,
    rollout,
    staging,
    targets,
    transports,
    trust,
)
from saltdeploy.config.blobs import TreeContents
from saltdeploy.config.delivery import Delivery
from saltdeploy.config.exclude import LeftOut
from saltdeploy.config.guards import GuardRules
from saltdeploy.config.hooks import Hooks
from saltdeploy.config.journals import JournalRetention
from saltdeploy.config.layouts import LayoutChoice
from saltdeploy.config.origin import Origin
from saltdeploy.config.paths import RepoPaths
from saltdeploy.config.pillar_text import PillarText, checked, mapping, table_of
from saltdeploy.config.rollout import RolloutPolicy
from saltdeploy.config.schema import DEPLOYMENT_KEYS, REPO_KEYS
from saltdeploy.config.staging import StagingPolicy
from saltdeploy.config.targets import TargetExpression
from saltdeploy.config.trust import Trust
from saltdeploy.lib.errors import ConfigError, DeployError, UnknownRepo
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.release import base_of, check_repo


@dataclass(frozen=True)
class Repo:
    """Everything that the pillar says about one repo, with defaults filled in.

    Attributes:
        name: the key in ``repo_config``.
        paths: where it lies on a target.
        origin: where its commits come from.
        contents: what its trees hold beside the files that git has.
        targets: which minions take it.
        delivery: how they come by payloads.
        layout: how its releases lie on their disks.
        rollout: in which order, how many at once, and what follows when something fails.
        hooks: what runs before and after stages.
        guards: what a deploy is refused by.
        trust: what signs releases, and what verifies them.
        staging: how its releases come to be.
        journals: how long the master keeps what its deploys told.
        pillar: what all this was read from.
    """

    name: str
    paths: RepoPaths
    origin: Origin
    contents: TreeContents
    targets: TargetExpression
    delivery: Delivery
    layout: LayoutChoice
    rollout: RolloutPolicy
    hooks: Hooks
    guards: GuardRules
    trust: Trust
    staging: StagingPolicy
    journals: JournalRetention
    pillar: PillarText

    @property
    def packed_as(self) -> str:
        """The name under which payloads of it are packed: with submodules the same commits have other ones."""
        return f"{self.name}+submodules" if self.contents.submodules else self.name

    @property
    def shape(self) -> str:
        """What the repo's trees hold beside the files that git has; a tree of another shape is rebuilt."""
        submodules = "submodules" if self.contents.submodules else ""
        held, shared = self.contents, self.paths.shared.shape
        parts = [*sorted(held.blobs), submodules, shared, held.owner.shape, held.exclude.shape]
        return "+".join(filter(None, parts))

    @property
    def left_out(self) -> LeftOut:
        """What of a release its trees do not have: what they share, and what is excluded."""
        return LeftOut((*self.paths.shared.left_out, *self.contents.exclude.paths))


def repo_names(pillar: dict[str, Any]) -> list[str]:
    """The names of all repos in the pillar, sorted."""
    section = pillar.get("repo_config")
    try:
        return sorted(_sections(pillar)) if isinstance(section, dict) else []
    except ConfigError:  # whoever loads one says what is wrong
        return sorted(map(str, section or ()))


def _sections(pillar: dict[str, Any]) -> dict[str, Any]:
    """The sections of all repos; of one with environments one for each of those."""
    repos = {str(key): section for key, section in table_of(pillar, "repo_config").items()}
    if any(isinstance(section, dict) and "environments" in section for section in repos.values()):
        from saltdeploy.config import environments  # few pillars have any

        return environments.expanded(repos)
    return repos


def load_all(pillar: dict[str, Any], site: str = "") -> tuple[list[Repo], dict[str, str]]:
    """Every repo of the pillar that can be read; and of the others, by their names, why they cannot."""
    found, unreadable = [], {}
    for name in repo_names(pillar):
        try:
            found.append(load(pillar, name, site))
        except DeployError as error:
            unreadable[name] = str(error)
    return found, unreadable


def load(pillar: dict[str, Any], name: str, site: str = "") -> Repo:
    """Read one repo's configuration.

    Args:
        pillar: plain data; only ``deployment_config`` and ``repo_config`` are looked at.
        name: the repo.
        site: the grain ``site``, which chooses the deployment server.

    Raises:
        BadName: the name is not legal.
        UnknownRepo: it is not in the pillar; the message names those that are close.
        ConfigError: a key or a value is wrong.
    """
    paths.refuse_reserved_name(check_repo(name))
    repos = _sections(pillar)
    if name not in repos:
        close = [other for other in repos if base_of(other) == name] or difflib.get_close_matches(
            name, repos, n=3
        )
        other = argument("repo", close[0]) if close else ""
        hint = (
            f"did you mean {' or '.join(close)}? Then the same command with {other}"
            if close
            else "add it to the pillar under repo_config"
        )
        raise UnknownRepo(f"there is no repo {name} in the pillar", repo=name, next=hint)
    deployment = checked(table_of(pillar, "deployment_config"), DEPLOYMENT_KEYS, "deployment_config", "")
    section = _with_purpose(mapping(repos[name], f"repo_config:{name}", name))
    keys = checked(section, REPO_KEYS, f"repo_config:{name}", name)
    minions = targets.targets(name, keys, repos[name])
    payloads = delivery.delivery(deployment, keys, site)
    _refuse_unfit(payloads.transport, keys, name)
    location = paths.locate(name, keys, deployment["parent_dir"], repos)
    commits = origin.origin(name, keys, deployment, site)
    return Repo(
        name=name,
        origin=commits,
        contents=blobs.contents(keys),
        targets=minions,
        delivery=payloads,
        layout=layouts.layout(keys),
        rollout=rollout.policy(keys),
        hooks=hooks.hooks(name, keys),
        guards=guards.guards(keys, deployment),
        trust=trust.trust(keys, deployment),
        staging=staging.policy(keys),
        journals=journals.retention(keys, deployment),
        paths=paths.repo_paths(name, keys, location),
        pillar=PillarText(
            trebuchet=pillar_text.as_trebuchet(repos[name], keys, location, commits.url),
            written=pillar_text.written(pillar, repos, name, site),
        ),
    )


def _with_purpose(section: dict[str, Any]) -> dict[str, Any]:
    if section.get("purpose") is None:
        return section
    from saltdeploy.config import purpose  # few repos have one

    return purpose.completed(section)


def _refuse_unfit(transport: str, keys: dict[str, Any], name: str) -> None:
    """What the layout cannot take must not be the transport of the repo, nor of a group; nor may it show what it cannot."""
    transports.refuse_unseen(keys["visible_releases"], keys["layout"], name)
    transports.refuse_unfit(transport, keys["layout"], name)
    for number, group in enumerate(keys["groups"]):
        if group.transport:
            transports.refuse_unfit(group.transport, keys["layout"], name, "groups", number, "transport")


def unknown_in_pillar(error: UnknownRepo, minion: str, whose: str, known: Sequence[str]) -> UnknownRepo:
    """The same, with the minion id whose pillar was compiled, and what top.sls does not give it.

    Args:
        whose: what that id is: ``this minion``, or ``this master``.
        known: the repos in that pillar.
    """
    shown = shlex.join(["salt-run", "pillar.show_pillar", minion])
    if known:
        more = f" and {len(known) - 5} more" if len(known) > 5 else ""
        has = f"it has {', '.join(known[:5])}{more}"
        lead = f"{error.next}; else add" if error.next.startswith("did you mean") else "add"
        act = f"{lead} repo_config:{error.repo} to an sls that top.sls gives {minion}"
    else:
        has = "it has no repo_config at all: no entry in top.sls that matches this id names an sls with one"
        act = f"let an entry of top.sls that matches {minion} name the sls with repo_config"
    cause = f"{error.cause} of {minion}, the id of {whose}; {has}"
    return UnknownRepo(cause, repo=error.repo, next=f"{act}; {shown} shows what it has")
