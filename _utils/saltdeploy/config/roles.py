"""Who may do what with which repo: the sections ``roles`` of the pillar, and ``deploy_roles`` of the master's configuration.

Where no section says anything, nobody is asked for a role. As soon as one does, all repos are under them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import BadName, ConfigError
from saltdeploy.protocol.release import check_host

DEPLOYER, OPERATOR, ADMIN = "deployer", "operator", "admin"
MINION, SALT = "minion:", "salt:"
#: What calls runners without a person behind it: the reactor; and whatever else the master calls by itself.
REACTOR, MASTER = "salt:reactor", "salt:master"

#: Key of the master's configuration.
SETTING = "deploy_roles"
#: Variable of the environment that names the file by which the master hands over who asks; see master/roles/handed.py.
HANDED = "SALTDEPLOY_ASKED_BY"

_NAME = re.compile(r"%?[^\s%*?\[\]:,'\"-][^\s*?\[\]:,'\"]{0,127}")

Holders = dict[str, tuple[str, ...]]
"""Role -> who has it."""


@dataclass(frozen=True)
class Roles:
    """What is configured.

    Attributes:
        everywhere: who has which role for all repos.
        of_repos: repo to the same for that one alone.
    """

    everywhere: Holders = field(default_factory=dict)
    of_repos: dict[str, Holders] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.everywhere or self.of_repos)

    def who(self, role: str, repo: str = "") -> tuple[str, ...]:
        """Who has a role for a repo; "" is all of them."""
        own = self.of_repos.get(repo, {}).get(role, ())
        return tuple(dict.fromkeys((*self.everywhere.get(role, ()), *own)))

    def all(self) -> frozenset[str]:
        """Everybody who has any role."""
        sections = (self.everywhere, *self.of_repos.values())
        return frozenset(name for each in sections for names in each.values() for name in names)

    def to_wire(self) -> dict[str, Any]:
        """The roles as plain data, in the form of the master's configuration."""
        repos = {repo: _plain(holders) for repo, holders in self.of_repos.items()}
        return {**_plain(self.everywhere), **({"repos": repos} if repos else {})}


def of_fleet(value: Any) -> Holders:
    """The section ``roles`` of ``deployment_config``.

    Raises:
        Wrong: with the path of what is wrong.
    """
    return _holders(value, (DEPLOYER, OPERATOR, ADMIN))


def of_repo(value: Any) -> Holders:
    """The section ``roles`` of one repo; an admin is one of all repos.

    Raises:
        Wrong: with the path of what is wrong.
    """
    return _holders(value, (DEPLOYER, OPERATOR))


def of_master(value: Any) -> Roles:
    """What the master's configuration says at ``deploy_roles``: the roles of all repos, and ``repos`` with those of each.

    Raises:
        Wrong: with the path of what is wrong.
    """
    if not isinstance(value, dict):
        raise Wrong("must be a table of roles")
    section = dict(value)
    repos = section.pop("repos", None) or {}
    if not isinstance(repos, dict):
        raise Wrong("must be a table of repos", "repos")
    found = {}
    for repo, said in repos.items():
        try:
            found[str(repo)] = of_repo(said)
        except Wrong as error:
            raise error.below("repos", repo) from None
    return Roles(of_fleet(section), found)


def read(pillar: Mapping[str, Any], setting: Any = None) -> Roles:
    """All roles that are configured; both places count.

    A mistake in it stops everybody but who needs no role: nobody may get in by it.

    Args:
        pillar: plain data.
        setting: what the master's configuration has at ``deploy_roles``.

    Raises:
        ConfigError: a section is not valid.
    """
    own = _checked(of_master, setting, SETTING) if setting else Roles()
    deployment, repos = pillar.get("deployment_config"), pillar.get("repo_config")
    said = deployment.get("roles") if isinstance(deployment, dict) else None
    fleet = _checked(of_fleet, said, "deployment_config:roles") if said is not None else {}
    found = dict(own.of_repos)
    for repo, section in _in_environments(repos).items() if isinstance(repos, dict) else ():
        if isinstance(section, dict) and section.get("roles") is not None:
            here = _checked(of_repo, section["roles"], f"repo_config:{repo}:roles")
            found[str(repo)] = _together(found.get(str(repo), {}), here)
    return Roles(_together(own.everywhere, fleet), found)


def _in_environments(repos: dict[str, Any]) -> dict[str, Any]:
    """The sections of all repos; one that is written wrong is for who deploys it, and takes nobody's role."""
    from saltdeploy.config.environments import expanded

    with contextlib.suppress(ConfigError):
        return {**repos, **expanded(repos)}
    return repos


def _holders(value: Any, known: Iterable[str]) -> Holders:
    readers: dict[str, Callable[[Any], Any]] = dict.fromkeys(known, _names)
    return values.table(value, readers)


def _names(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    found = []
    for number, each in enumerate(values.list_of(listed, "names")):
        try:
            found.append(_name(each))
        except Wrong as error:
            raise error.below(number) from None
    return tuple(found)


def _name(value: Any) -> str:
    said = values.text(value)
    if said in (REACTOR, MASTER):
        return said
    if said.startswith(MINION):
        try:
            return f"{MINION}{check_host(said.removeprefix(MINION))}"
        except BadName as error:
            raise Wrong(error.cause) from None
    if not _NAME.fullmatch(said):
        raise Wrong("must be a user, %group, minion:ID, salt:reactor or salt:master, written out")
    return said


def _checked(reader: Callable[[Any], Any], value: Any, path: str) -> Any:
    try:
        return reader(value)
    except Wrong as error:
        where = ":".join((path, *error.path))
        raise ConfigError(str(error), path=where, next="correct it; docs/roles.md has the forms") from None


def _together(one: Holders, other: Holders) -> Holders:
    return {
        role: tuple(dict.fromkeys((*one.get(role, ()), *other.get(role, ())))) for role in {**one, **other}
    }


def _plain(holders: Holders) -> dict[str, list[str]]:
    return {role: list(names) for role, names in holders.items()}
