"""Environments of a repo: one entry of the pillar that becomes a repo of its own for each of them, ``site@staging``.

This is the one place that knows what an environment is. Everything else sees repos, each with pins, locks and a history of its
own; docs/environments.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol.release import SEPARATOR, check_repo

_KEY = "environments"
#: What says which hosts a repo is for: an environment that says nothing about it has its own name in the grain.
_WHOM = ("targets", "grain")


def expanded(repos: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of all repos, one for each environment in place of those that have any.

    Raises:
        ConfigError: an environment is written wrong, or is for the hosts of all of them.
    """
    found: dict[str, Any] = {}
    for name, section in repos.items():
        if not isinstance(section, dict) or section.get(_KEY) is None:
            found[name] = section
            continue
        for env, own in _table(section[_KEY], name).items():
            found[f"{name}{SEPARATOR}{env}"] = _merged(section, own, name, env, repos)
    return found


def _table(value: Any, name: str) -> dict[str, dict[str, Any]]:
    path = f"repo_config:{name}:{_KEY}"
    if not isinstance(value, dict) or not value:
        raise ConfigError("must be a table of environments by their names", repo=name, path=path)
    for env, own in value.items():
        try:
            values.name(env)
        except Wrong as error:
            raise ConfigError(str(error), repo=name, path=f"{path}:{env}") from None
        check_repo(f"{name}{SEPARATOR}{env}")
        if own is not None and (not isinstance(own, dict) or _KEY in own):
            raise ConfigError(
                "must be a table of keys of the repo, without environments", repo=name, path=f"{path}:{env}"
            )
    return {str(env): own or {} for env, own in value.items()}


def _merged(
    section: dict[str, Any], own: dict[str, Any], name: str, env: str, repos: Mapping[str, Any]
) -> dict[str, Any]:
    """What counts in an environment: its own keys, each as a whole, and the others of the repo."""
    shared = {key: value for key, value in section.items() if key != _KEY}
    if not any(own.get(key) for key in _WHOM) and shared.get("targets"):
        raise ConfigError(
            f"environment {env} does not say which hosts it is for, and targets of the repo are those of all environments",
            repo=f"{name}{SEPARATOR}{env}",
            path=f"repo_config:{name}:{_KEY}:{env}:targets",
            next=f"set targets there; or take targets out of repo_config:{name}, and give the hosts "
            f"{name}{SEPARATOR}{env} in their grain deployment_target",
        )
    shared = {key: value for key, value in shared.items() if key not in _WHOM}
    merged = {**shared, **own}
    if isinstance(merged.get("dependencies"), (list, dict)):
        merged["dependencies"] = [_in(env, str(other), repos) for other in merged["dependencies"]]
    return merged


def _in(env: str, repo: str, repos: Mapping[str, Any]) -> str:
    """A repo that is needed: of the same environment, where it has one of this name."""
    theirs = repos.get(repo)
    has = isinstance(theirs, dict) and isinstance(theirs.get(_KEY), dict) and env in theirs[_KEY]
    return f"{repo}{SEPARATOR}{env}" if has else repo
