"""What operators tell a running deploy, from any process of the master: stop; and answers to its questions.

Each wish is a file that is made whole or not at all; of several answers to a question exactly one gets its name.
The deploy looks for them a few times a second, and a resumed one finds those that the other had not read.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.lib import disk, durable
from saltdeploy.protocol.release import file_name

_ABORT = "abort"


@dataclass(frozen=True)
class OperatorSignal:
    """An operator's word: who said it, and the reason or the choice."""

    user: str
    text: str


class OperatorSignals:
    """The wishes for one deploy.

    Args:
        root: the master's directory for deploys.
        repo, deploy: which.
    """

    def __init__(self, root: Path, repo: str, deploy: str) -> None:
        self._directory = root / "control" / f"{file_name(repo)}.{deploy}"

    def abort(self, user: str, reason: str) -> bool:
        """Ask the deploy to stop; False when somebody did so before."""
        return self._say(_ABORT, user, reason)

    def answer(self, key: str, user: str, choice: str) -> bool:
        """Answer a question; False when another answer was first."""
        return self._say(f"answer.{key}", user, choice)

    def aborted(self) -> OperatorSignal | None:
        """The wish to stop, if there is one.

        Raises:
            DamagedFile: there is something else. So does :meth:`answered`.
        """
        return self._said(_ABORT)

    def answered(self, key: str) -> OperatorSignal | None:
        """The answer to a question, if there is one."""
        return self._said(f"answer.{key}")

    def clear(self) -> None:
        """Forget all: the deploy has ended."""
        disk.remove_tree(self._directory)

    def _say(self, name: str, user: str, text: str) -> bool:
        durable.private_directory(self._directory.parent)
        durable.private_directory(self._directory)
        disk.fsync_dir(self._directory.parent)
        aside = self._directory / f".{secrets.token_hex(8)}"
        disk.write_json(aside, {"user": user, "text": text[:500]}, mode=0o600)
        try:
            os.link(aside, self._directory / name)
        except FileExistsError:
            return False
        finally:
            aside.unlink()
        disk.fsync_dir(self._directory)
        return True

    def _said(self, name: str) -> OperatorSignal | None:
        check = durable.fields(user=str, text=str)
        found: dict[str, Any] = durable.read(self._directory / name, check, {})
        return OperatorSignal(found["user"], found["text"]) if found else None
