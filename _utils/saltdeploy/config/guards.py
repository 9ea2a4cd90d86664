"""What must be so before a repo may be deployed at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.config.freeze import Window


@dataclass(frozen=True)
class GuardRules:
    """What a deploy is refused by.

    Attributes:
        dependencies: repos that are deployed first.
        max_removed: a release that is smaller by a greater share of the files, or of their bytes, is refused.
        freeze: when nothing may be deployed: the fleet's windows and the repo's; see :mod:`saltdeploy.config.freeze`.
        promote_after: seconds that a release must have run in another environment before ``deploy.promote`` brings it here.
        untracked: what follows where a live tree has what is of no release: ``refuse``, ``warn`` or ``ignore``.
    """

    dependencies: tuple[str, ...]
    max_removed: str
    freeze: tuple[Window, ...]
    promote_after: float = 0.0
    untracked: str = "warn"


def guards(keys: dict[str, Any], deployment: dict[str, Any]) -> GuardRules:
    """What holds for one repo, by the checked values of its section and of ``deployment_config``."""
    return GuardRules(
        dependencies=tuple(keys["dependencies"]),
        max_removed=keys["max_removed"],
        freeze=(*deployment["freeze"], *keys["freeze"]),
        promote_after=keys["promote_after"],
        untracked=keys["untracked"],
    )
