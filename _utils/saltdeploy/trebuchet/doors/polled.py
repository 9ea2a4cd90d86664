"""What the doors share that only ask and are answered: a deploy is begun, left to itself, and followed by its journal."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.protocol import events
from saltdeploy.trebuchet.doors import Arguments, LeftAlone, View, goes_on, view_of
from saltdeploy.watch import follow
from saltdeploy.watch.console import terminal
from saltdeploy.watch.settings import WatchSettings

_PAUSE = 1.0  # seconds between two looks


class PolledDoor(ABC):
    """See the module."""

    @abstractmethod
    def call(self, function: str, arguments: Arguments) -> object:
        """What a function of the runner answers, whatever it is; ``function`` is its name behind ``deploy.``.

        Raises:
            DeployError: there was no answer.
        """

    def ask(self, function: str, arguments: Arguments) -> View:
        """See :class:`saltdeploy.trebuchet.doors.Door`."""
        return view_of(self.call(function, arguments), f"salt-run deploy.{function}")

    def deploy(self, function: str, arguments: Arguments) -> View:
        """See :class:`saltdeploy.trebuchet.doors.Door`. What ends here lets the deploy go on."""
        begun = self.ask(function, {**arguments, "detach": True})
        repo, deploy = str(begun.get("repo") or arguments["repo"]), str(begun.get("deploy") or "")
        if begun["view"] != "detached":
            return begun
        if not deploy:
            raise LeftAlone("the master still prepares the deploy", repo=repo, next="git deploy attach")
        return self._ended(repo, deploy)

    def attach(self, repo: str) -> View:
        """See :class:`saltdeploy.trebuchet.doors.Door`; the answer to a question is a command of its own."""
        return self._ended(repo, "")

    def _ended(self, repo: str, deploy: str) -> View:
        """Show a deploy to its end; "" is the newest one."""
        told: list[events.Event] = []
        watcher = terminal.for_stream(sys.stderr, WatchSettings.of_stream(sys.stderr))
        try:
            follow(self._events(repo, deploy, told), (watcher,))
        except KeyboardInterrupt:
            raise goes_on(repo) from None
        except DeployError as error:
            if not deploy:
                raise
            raise LeftAlone(error.cause, repo=repo, path=error.path, next="git deploy attach") from None
        finally:
            watcher.close()
        started = next((event for event in told if event.get("event") == events.STARTED), {})
        ended = next((event for event in told if event.get("event") == events.FINISHED), None)
        if ended is None:
            raise LeftAlone(
                f"deploy {deploy} has not ended, and no process carries it on",
                repo=repo,
                next=f"salt-run deploy.resume repo={repo}",
            )
        known = {key: ended.get(key) for key in ("outcome", "ok", "total", "reason", "next")}
        hosts = {} if started.get("action") == "fetch" else self._hosts(repo)
        return {
            "view": "outcome", "deploy": ended.get("deploy"), "repo": repo, "tag": started.get("tag"),
            "commit": started.get("commit"), "hosts": hosts, **known,
        }  # fmt: skip

    def _events(self, repo: str, deploy: str, told: list[events.Event]) -> Iterator[events.Event | None]:
        """The events of a deploy as they come, None in between; all of them are put to ``told``."""
        after = 0
        while True:
            piece = self.ask("story", {"repo": repo, **({"id": deploy} if deploy else {}), "after": after})
            deploy = str(piece.get("deploy") or "")  # another one may begin meanwhile
            found = [event for event in piece.get("events", ()) if isinstance(event, dict)]
            told += found
            yield from found
            after = int(piece.get("next") or 0)
            if piece.get("more"):
                continue
            if not piece.get("runs") or any(event.get("event") == events.FINISHED for event in found):
                return
            yield None
            time.sleep(_PAUSE)

    def _hosts(self, repo: str) -> dict[str, Any]:
        """What hosts run now, in the form of a deploy's end."""
        hosts = self.ask("report", {"repo": repo}).get("hosts")
        return dict(hosts) if isinstance(hosts, dict) else {}
