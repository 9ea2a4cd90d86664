"""Repos that are deployed before the one that needs them."""

from __future__ import annotations

from typing import Any

from saltdeploy.config import load
from saltdeploy.lib.errors import ConfigError, DependencyFailed
from saltdeploy.lib.spelling import argument
from saltdeploy.master.context import Master
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.records.pins import Pins


def of(request: Request, pillar: dict[str, Any], site: str) -> tuple[str, ...]:
    """The repos that are brought to their pinned releases before a request, in their order; none but for a sync.

    Raises:
        ConfigError: repos need each other.
    """
    if request.action != SYNC:
        return ()
    ours = [name for name, _ in request.parts]
    needed = dict.fromkeys(name for repo in ours for name in _needed(pillar, repo, site))
    return tuple(name for name in needed if name not in ours)


def to_its_pin(name: str, request: Request, master: Master) -> Request:
    """What brings a repo that is needed to the release that is pinned.

    Raises:
        DependencyFailed: none is.
    """
    pin = Pins(master.root).get(name)
    if pin is None:
        raise failed(request, name, "was never deployed")
    return Request(SYNC, name, pin.release.tag, wait=request.wait, unattended=request.unattended)


def failed(request: Request, name: str, why: str, tag: str = "") -> DependencyFailed:
    """The error that a repo which is needed is not there.

    Args:
        tag: of the release that it should be on; "" where none is pinned.
    """
    wanted = argument("tag", tag) if tag else "tag=..."
    return DependencyFailed(
        f"it needs {name}, which {why}",
        repo=request.repo,
        next=f"salt-run deploy.report repo={name}; salt-run deploy.sync repo={name} {wanted}; then {request.command}",
    )


def _needed(pillar: dict[str, Any], repo: str, site: str) -> list[str]:
    """The repos that one needs, in the order in which they are to be deployed."""
    found: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ConfigError(
                f"repos need each other: {' -> '.join([*above, name])}",
                repo=repo,
                path=f"repo_config:{name}:dependencies",
                next="take one of these dependencies out",
            )
        for needed in load(pillar, name, site).guards.dependencies:
            visit(needed, (*above, name))
        if name not in found:
            found.append(name)

    visit(repo, ())
    return found[:-1]
