"""Which minions take a repo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.lib.errors import ConfigError

#: Key of the master's configuration by which hosts without a minion are targets too; see :mod:`saltdeploy.config.ssh_hosts`.
SSH_HOSTS = "deploy_ssh_hosts"

TARGET_TYPES = (
    "glob",
    "pcre",
    "list",
    "grain",
    "grain_pcre",
    "pillar",
    "pillar_exact",
    "nodegroup",
    "compound",
)


@dataclass(frozen=True)
class TargetExpression:
    """Salt's expression for a repo's targets.

    Attributes:
        expression: as Salt's ``tgt``.
        type: one of :data:`TARGET_TYPES`.
    """

    expression: str
    type: str


def targets(name: str, keys: dict[str, Any], section: dict[str, Any] | None) -> TargetExpression:
    """What the repo says, or what Trebuchet's grain ``deployment_target`` does.

    Args:
        name: of the repo.
        keys: checked values of its section.
        section: the same as it is written.

    Raises:
        ConfigError: half of a pair of keys is set.
    """
    if section and section.get("targets_type") is not None and keys["targets"] is None:
        raise ConfigError(
            "says how to read `targets`, and that is not set",
            repo=name,
            path=f"repo_config:{name}:targets_type",
            next="set both or neither",
        )
    if keys["targets"]:
        return TargetExpression(keys["targets"], keys["targets_type"])
    return TargetExpression(_by_grain(name, keys["grain"]), "compound")


def _by_grain(name: str, grain: str | None) -> str:
    values = [name] if grain in (None, name) else [name, grain]
    return " or ".join(f"G@deployment_target:{value}" for value in values)
