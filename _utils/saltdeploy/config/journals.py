"""How long the master keeps what deploys told: ``journals`` of a repo, which goes before that of all repos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JournalRetention:
    """How long the master keeps journals: one goes by ``deploy.gc`` when both are over, and nothing needs it.

    Attributes:
        deploys: so many of the newest ones of a repo stay.
        days: a younger one stays.
    """

    deploys: int = 1000
    days: int = 90


def retention(keys: dict[str, Any], deployment: dict[str, Any]) -> JournalRetention:
    """Read it from checked pillar data."""
    return JournalRetention(**{**deployment["journals"], **keys["journals"]})
