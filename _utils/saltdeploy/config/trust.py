"""Whose word a release of a repo needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trust:
    """What signs releases, and what verifies them.

    Attributes:
        require_signed: only tags whose signature git can verify.
        signing_key: file on the master with the private key that releases are signed by; "" for none.
        release_keys: public keys; where there are any, a target takes only what one of them has signed.
    """

    require_signed: bool
    signing_key: str
    release_keys: tuple[str, ...]


def trust(keys: dict[str, Any], deployment: dict[str, Any]) -> Trust:
    """What holds for one repo, by the checked values of its section and of ``deployment_config``."""
    return Trust(
        require_signed=keys["require_signed"],
        signing_key=deployment["signing_key"] or "",
        release_keys=deployment["release_keys"],
    )
