"""What the person who looks on at a deploy can tell it: to stop, and answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saltdeploy.lib.errors import NoSuchDeploy
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.running.operator import OperatorSignals


class Steering:
    """Steers one deploy.

    Args:
        root: the master's directory for deploys.
        repo, deploy: which.
        user: who steers.
        may: raises where they may not do this: ``abort`` or ``answer``.

    Attributes:
        stops: it was told to stop from here.
    """

    def __init__(
        self, root: Path, repo: str, deploy: str, user: str, may: Callable[[str], object] = lambda what: None
    ) -> None:
        self.stops = False
        self._may = may
        self._root, self._repo, self._deploy, self._user = root, repo, deploy, user
        self._signals = OperatorSignals(root, repo, deploy)

    def abort(self, reason: str) -> bool:
        """Tell it to stop; False when somebody did so before.

        Raises:
            NoSuchDeploy: no process carries it on.
            NotAllowed: the one who steers may not.
        """
        self._may("abort")
        self._refuse_the_dead()
        self.stops = True
        return self._signals.abort(self._user, reason or "deploy.watch")

    def answer(self, question: str, choice: str) -> bool:
        """Answer the question of this key; False when another answer was first.

        Raises:
            NoSuchDeploy, NotAllowed: as for :meth:`abort`.
        """
        self._may("answer")
        self._refuse_the_dead()
        return self._signals.answer(question, self._user, choice)

    def _refuse_the_dead(self) -> None:
        if not is_held(self._root, self._repo):
            raise NoSuchDeploy(
                f"deploy {self._deploy} does not run",
                repo=self._repo,
                next=f"salt-run deploy.report repo={self._repo}",
            )
