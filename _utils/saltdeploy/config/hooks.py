"""What runs around a repo's stages: checks, restarts, what takes a host out of service, functions of Salt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saltdeploy.config import checks
from saltdeploy.config.rollout import Check, Restart
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

if TYPE_CHECKING:
    from saltdeploy.config.maintenance import Maintenance
    from saltdeploy.config.once import OnceCommand


@dataclass(frozen=True)
class Hooks:
    """What runs before and after stages, on targets and on the master.

    Attributes:
        restart: what makes a host's processes take up the release.
        checks: what must be true before and after stages.
        depool, repool: what takes a host out of service before the switch, and back when it is healthy.
        once: steps that run once in a deploy, in one place.
        maintenance: what tells a host's users that it is being worked on; None where the pillar does not say.
        purpose: what the repo is deployed for; the other parts follow from it already where the pillar did not say.
        fetch_calls, checkout_calls: Salt functions to call on a target after the stage, with arguments.
    """

    restart: Restart
    checks: tuple[Check, ...]
    depool: Check | None
    repool: Check | None
    fetch_calls: dict[str, list[Any]]
    checkout_calls: dict[str, list[Any]]
    once: tuple[OnceCommand, ...] = ()
    maintenance: Maintenance | None = None
    purpose: str = "code"


def hooks(name: str, keys: dict[str, Any]) -> Hooks:
    """What holds for one repo; the checks must fit the restart, and their groups must be there.

    Args:
        name: of the repo.
        keys: checked values of its section.

    Raises:
        ConfigError: a check is for a group that there is not, or asks processes that are not restarted yet.
    """
    restart = Restart(
        services=keys["service_name"] or (),
        signals=keys["signal"] or (),
        command=keys["restart_command"] or (),
        ports=keys["service_port"] or (),
        timeout=keys["service_timeout"],
    )
    try:
        checks.refuse_strangers(keys["checks"], {group.name for group in keys["groups"]})
        if restart:
            checks.refuse_in_the_gap(keys["checks"])
    except Wrong as error:
        path = ":".join(["repo_config", name, "checks", *error.path])
        raise ConfigError(str(error), repo=name, path=path) from None
    return Hooks(
        restart=restart,
        checks=keys["checks"],
        depool=keys["depool"],
        repool=keys["repool"],
        fetch_calls=keys["fetch_module_calls"],
        checkout_calls=keys["checkout_module_calls"],
        once=_once(name, keys),
        maintenance=keys["maintenance"],
        purpose=keys["purpose"],
    )


def _once(name: str, keys: dict[str, Any]) -> tuple[OnceCommand, ...]:
    found: tuple[OnceCommand, ...] = keys["once"] or ()
    if not found:
        return ()
    from saltdeploy.config import once  # few repos have any

    try:
        once.refuse_unknown_groups(found, {group.name for group in keys["groups"]})
    except Wrong as error:
        path = ":".join(["repo_config", name, "once", *error.path])
        raise ConfigError(str(error), repo=name, path=path) from None
    return found
