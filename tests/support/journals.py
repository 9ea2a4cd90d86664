"""Journals with a few events in them."""

from __future__ import annotations

from pathlib import Path

from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events

DEPLOY = "20261123101112000000"


def event(number: int) -> events.Event:
    return events.warned(DEPLOY, "demo", 1000.0 + number, f"event {number}")


def write(root: Path, *numbers: int, repo: str = "demo", deploy: str = DEPLOY) -> Path:
    with Journals(root).write(repo, deploy) as journal:
        for number in numbers:
            journal.append(event(number))
    return Journals(root).path(repo, deploy)
