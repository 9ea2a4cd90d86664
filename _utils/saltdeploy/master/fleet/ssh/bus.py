"""A bus that joins two: hosts of the roster are asked over ssh, all others as before.

What an ssh host answers comes out under the tag of a minion's return, so whoever asks hosts knows no difference. Why one
could not be reached comes out there as well: it is no answer, so it is noted, and the host is asked again.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from saltdeploy.config.ssh_hosts import SshHost
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Bus
from saltdeploy.master.fleet.ssh.conversation import Conversation
from saltdeploy.protocol import events

log = logging.getLogger(__name__)

_TURN = 0.05  # seconds that the other bus is listened to before it is looked who has answered over ssh
_MOST_WAITING = 10_000  # messages; hosts that say more than anybody hears are heard later


class JoinedBus:
    """See the module.

    Args:
        bus: of the minions.
        hosts: of the roster that are no minions, by their ids.
        conversation: asks one of them.
        request: what one is asked: ``(host, job id, function, arguments)`` to the request's fields. It is called by whoever
            publishes, and may raise a DeployError.
    """

    def __init__(
        self,
        bus: Bus,
        hosts: Mapping[str, SshHost],
        conversation: Conversation,
        request: Callable[[SshHost, str, str, list[Any]], dict[str, Any]],
    ) -> None:
        self._bus = bus
        self._hosts = hosts
        self._conversation = conversation
        self._request = request
        self._came: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(_MOST_WAITING)
        self._asking = 0
        self._lock = threading.Lock()

    def new_jid(self) -> str:
        """A job id that was never used."""
        return self._bus.new_jid()

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        """Send a job to a list of hosts, without waiting for anything."""
        minions = [host for host in hosts if host not in self._hosts]
        if minions:
            self._bus.publish(minions, function, arguments, jid)
        for name in hosts:
            if name in self._hosts:
                self._begin(self._hosts[name], function, arguments, jid)

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        """The next message of either; None when ``wait`` seconds pass without one."""
        end = self.elapsed() + wait
        while True:
            is_asking = self._is_asking  # looked at first: who has ended has said all before
            try:
                return self._came.get_nowait()
            except queue.Empty:
                pass
            left = max(0.0, end - self.elapsed())
            found = self._bus.next(min(left, _TURN) if is_asking else left)
            if found is not None or not left or not is_asking:
                return found

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        """Put an event on the bus."""
        self._bus.fire(tag, data)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._bus.now()

    def elapsed(self) -> float:
        """Seconds since some moment, by a clock that nobody sets."""
        return self._bus.elapsed()

    @property
    def _is_asking(self) -> bool:
        with self._lock:
            return self._asking > 0

    def _begin(self, host: SshHost, function: str, arguments: list[Any], jid: str) -> None:
        try:
            request = self._request(host, jid, function, arguments)
        except DeployError as error:
            self._came.put((_tag(jid, host), {"return": str(error)}))
            return
        with self._lock:
            self._asking += 1
        name = f"ssh {host.id}"
        threading.Thread(target=self._ask, args=(host, request, jid), name=name, daemon=True).start()

    def _ask(self, host: SshHost, request: dict[str, Any], jid: str) -> None:
        try:
            for said in self._conversation.hold(host, request):
                if "answer" in said:
                    self._came.put((_tag(jid, host), {"return": said["answer"]}))
                else:
                    self._take_event(said.get("event"), host)
        except DeployError as error:
            log.info("job %s: %s", jid, error)
            self._came.put((_tag(jid, host), {"return": error.cause}))
        except Exception as error:  # whatever it is: a thread that dies in silence would explain nothing
            log.exception("job %s: asking %s over ssh failed by a fault of this package", jid, host.id)
            self._came.put((_tag(jid, host), {"return": f"{type(error).__name__}: {error}"}))
        finally:
            with self._lock:
                self._asking -= 1

    def _take_event(self, event: object, host: SshHost) -> None:
        """Pass on what a host tells of itself; what it says under another's name is dropped."""
        match event:
            case [str(tag), dict(data)]:
                ours = events.split_tag(tag)
                if ours and ours[1] == events.HOST_PROGRESS and ours[2] == host.id:
                    self._came.put((tag, {"data": data}))


def _tag(jid: str, host: SshHost) -> str:
    return f"salt/job/{jid}/ret/{host.id}"
