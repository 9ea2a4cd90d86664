"""How long the master keeps the journals of deploys: the key ``journals``, of all repos or of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.config import values

_LEAST_DEPLOYS = 20  # of each repo: so many the page and deploy.overview list
_LEAST_DAYS = 7  # for so long a sink of signals may be told late


@dataclass(frozen=True)
class JournalRetention:
    """A journal goes by ``deploy.gc`` when both are over, and nothing needs it.

    Attributes:
        deploys: so many of the newest ones of a repo stay.
        days: a younger one stays.
    """

    deploys: int = 1000
    days: int = 90


def journals(value: Any) -> dict[str, int]:
    """The table with ``deploys`` and ``days``, as far as they are said.

    Raises:
        Wrong: it is not valid.
    """
    known = {"deploys": values.whole(_LEAST_DEPLOYS, 1_000_000), "days": values.whole(_LEAST_DAYS, 36_500)}
    return values.table(value, known)


def policy(keys: dict[str, Any], deployment: dict[str, Any]) -> JournalRetention:
    """What counts for a repo: what it says itself, and else what is said for all."""
    return JournalRetention(**{**deployment["journals"], **keys["journals"]})
