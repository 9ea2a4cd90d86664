"""scap's announcer: one line over TCP to tcpircbot, which says it in its channels."""

from __future__ import annotations

import socket

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.signals.signal import Notification
from saltdeploy.watch.signals.wording import line

_LONGEST = 400  # bytes: what a line of IRC holds beside its head


class Irc:
    """A connection for each line, as scap makes it.

    Args:
        host, port: of tcpircbot.
        wording, place: see :func:`saltdeploy.watch.signals.wording.line`.
        timeout: seconds for each step.
    """

    def __init__(self, host: str, port: int, wording: str, place: str, timeout: float) -> None:
        self._address = (host, port)
        self._wording, self._place, self._timeout = wording, place, timeout

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        said = line(signal, self._wording, self._place)
        if not said:
            return
        # never cut in the middle of a character
        text = f"!log {said}".encode()[:_LONGEST].decode(errors="ignore")
        try:
            with socket.create_connection(self._address, self._timeout) as connection:
                connection.sendall(f"{text}\n".encode())
        except OSError as error:
            host, port = self._address
            raise DeployError(
                f"tcpircbot {host}:{port} takes no line: {error}",
                next=f"see that it runs there; lines that are late are left out (late: of {signal.repo}'s sink)",
            ) from error
