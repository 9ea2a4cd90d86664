"""``git deploy sync``: fetch, ask, checkout, ask, finish; as Trigger's driver did, over the runner's own stages."""

from __future__ import annotations

import time
from collections.abc import Callable

from saltdeploy.lib.errors import DeployError
from saltdeploy.protocol import events
from saltdeploy.trebuchet import refusal
from saltdeploy.trebuchet.console import PROMPT, Operator
from saltdeploy.trebuchet.doors import Door, View
from saltdeploy.trebuchet.progress import StageProgress, of_deploy
from saltdeploy.trebuchet.refusal import Refusal, because
from saltdeploy.trebuchet.report import report
from saltdeploy.trebuchet.staging import Staging

_STAY = {
    "fetch": "Not continuing to checkout phase. A deployment is still underway, please finish, sync, or abort.",
    "checkout": "Not continuing to finish phase. A checkout has already occurred. Please finish, sync or revert. "
    "Aborting at this phase is not recommended.",
}
_MOST_PIECES = 10_000


def sync(staging: Staging, door: Door, operator: Operator, *, force: bool, reason: str) -> None:
    """Tag what is checked out, and bring it to every host.

    Args:
        force: go past the guards of the master, as ``force=True`` of the runner does.
        reason: for the tag, and for the history of deploys.

    Raises:
        Refusal: it was not finished; the deployment is still underway.
    """
    staging.refuse_dirty()
    tag = staging.write_sync_tag(reason)
    staging.write_deployed(tag)
    for stage in ("fetch", "checkout"):
        _StageDialog(staging, door, operator, stage, tag, force, reason).carry_out()


class _StageDialog:
    """One stage, until the operator lets it be over."""

    def __init__(
        self, staging: Staging, door: Door, operator: Operator, stage: str, tag: str, force: bool, reason: str
    ) -> None:
        self._staging = staging
        self._door = door
        self._operator = operator
        self._stage = stage
        self._tag = tag
        self._arguments: dict[str, object] = {"repo": staging.repo, "tag": tag}
        self._arguments |= {"force": True} if force else {}
        self._arguments |= {"reason": reason} if reason else {}
        self._progress = StageProgress(stage)

    def carry_out(self) -> None:
        self._run()
        while (choice := self._choice()) != "y":
            if choice == "n":
                raise self._stays()
            self._run()

    def _choice(self) -> str:
        """``y``, ``n`` or ``r``; nobody there is a no."""
        self._report(detailed=False)
        while True:
            answer = self._operator.answer(PROMPT)
            word = "n" if answer is None else answer.lower()
            if word in ("y", "n", "r"):
                return word
            if word in ("", "c", "d"):
                self._report(detailed=word == "d")

    def _run(self) -> None:
        try:
            view = self._door.deploy(self._stage, self._arguments)
            deploy = str(view.get("deploy") or "")
            told = story(self._door, self._staging.repo, deploy)
        except DeployError as error:
            raise because(_STAY[self._stage], refusal.NOT_SYNCED, error, self._staging.repo) from None
        self._staging.files.note_deploy(self._stage, deploy)
        self._progress = of_deploy(self._stage, view, told)

    def _report(self, *, detailed: bool) -> None:
        now = time.time()
        repo = self._staging.repo
        self._operator.tell(*report(repo, self._tag, [self._progress], now, detailed=detailed))

    def _stays(self) -> Refusal:
        done, known = len(self._progress.done), len(self._progress.hosts)
        return Refusal(
            _STAY[self._stage],
            refusal.NOT_SYNCED,
            f"{done}/{known} minions completed {self._stage} of {self._tag}",
            repo=self._staging.repo,
            next="git deploy sync tries again; "
            + ("git deploy abort gives up" if self._stage == "fetch" else "git deploy revert goes back"),
        )


def story(door: Door, repo: str, deploy: str, wait: Callable[[], None] | None = None) -> list[events.Event]:
    """All events of a deploy.

    Args:
        deploy: its id; "" for none.
        wait: called while it runs and there is nothing new; without it what is there now is all.

    Raises:
        DeployError: the runner could not tell.
    """
    found: list[events.Event] = []
    after = 0
    for _ in range(_MOST_PIECES if deploy else 0):
        piece = door.ask("story", {"repo": repo, "id": deploy, "after": after})
        found += [event for event in piece.get("events", ()) if isinstance(event, dict)]
        after = int(piece.get("next") or 0)
        if not piece.get("more"):
            if wait is None or not piece.get("runs"):
                break
            wait()
    return found


def ending(view: View) -> list[str]:
    """How a deploy ended, where that is not as it was meant."""
    word, reason, following = (str(view.get(key) or "") for key in ("outcome", "reason", "next"))
    if not word or word == "CONVERGED":
        return []
    line = f"{word} {view.get('ok')}/{view.get('total')}" + (f": {reason}" if reason else "")
    return [line, *([f"Next: {following}"] if following else [])]
