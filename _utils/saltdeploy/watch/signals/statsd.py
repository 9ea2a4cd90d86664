"""statsd: counters and a timer for each deploy, as UDP datagrams that nobody waits for."""

from __future__ import annotations

import re
import socket

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.signals.signal import FINISHED, STARTED, Notification

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def lines(signal: Notification, prefix: str) -> list[str]:
    """What is counted: ``deploy.mediawiki.sync.started:1|c``, and at the end its outcome and milliseconds."""
    base = ".".join(_UNSAFE.sub("_", part) for part in (signal.repo, signal.action))
    base = f"{prefix}.{base}" if prefix else base
    if signal.kind == STARTED:
        return [f"{base}.started:1|c"]
    if signal.kind != FINISHED:
        return []
    outcome = _UNSAFE.sub("_", signal.outcome.lower())
    return [f"{base}.{outcome}:1|c", f"{base}.seconds:{int(signal.seconds * 1000)}|ms"]


class Statsd:
    """Sends datagrams.

    Args:
        host, port: of statsd.
        prefix: of every name; "" for none.
    """

    def __init__(self, host: str, port: int, prefix: str) -> None:
        self._address, self._prefix = (host, port), prefix

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        said = lines(signal, self._prefix)
        if not said:
            return
        host, port = self._address
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(found[0], found[1]) as sender:
                sender.sendto("\n".join(said).encode(), found[4])
        except OSError as error:
            raise DeployError(
                f"statsd {host}:{port} takes no datagram: {error}", next=f"getent hosts {host}"
            ) from error
