"""What a host's answer to a stage says, repo by repo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result


@dataclass(frozen=True)
class Look:
    """What a host's answer says of one repo.

    Attributes:
        live, live_tag: what its users see.
        unchanged: the release is live, sound and settled there.
        switched: the release is live there, or may be.
        heard: the epoch of the deploy before that the host had heard of; 0 where it does not tell.
    """

    repo: str
    live: str
    live_tag: str
    unchanged: bool
    switched: bool
    heard: int = 0

    @classmethod
    def of(cls, release: Release, result: Result) -> Look:
        """What the answer says of the release's repo."""
        answer = next((part for part in result.parts if part.repo == release.repo), None)
        held = answer.holdings if answer else Holdings()
        tag = held.tags.get(held.live, "")
        # the silent, and who refuses, do not say what they hold
        known = answer is not None and (result.error is None or bool(held.held))
        same = held.live == release.commit and tag == release.tag
        return cls(
            release.repo,
            held.live,
            tag,
            unchanged=same and not held.unsettled and not held.damaged,
            switched=held.live == release.commit or not known,
            heard=_count(answer.facts.get("heard")) if answer else 0,
        )

    def told(self) -> dict[str, Any]:
        """As events say it."""
        return {"repo": self.repo, "live": self.live, "live_tag": self.live_tag, "heard": self.heard}


def lacks(result: Result) -> str:
    """The repo of which no payload fits what the host holds."""
    return (result.error.repo if result.error else "") or result.repo


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
