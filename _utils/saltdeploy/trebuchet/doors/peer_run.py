"""The door ``peer``: this host is a minion, and the master lets it call the runner (``peer_run``)."""

from __future__ import annotations

import json

from saltdeploy.lib.errors import NoPermission, Unavailable
from saltdeploy.lib.text import legible
from saltdeploy.trebuchet.doors import Arguments, bare, configured
from saltdeploy.trebuchet.doors.polled import PolledDoor
from saltdeploy.trebuchet.doors.salt_run import output_of
from saltdeploy.trebuchet.settings import Settings

_SHOWN = 500  # characters of an answer that nobody can read


class PeerRun(PolledDoor):
    """See the module: ``salt-call publish.runner``, as Trigger did."""

    def __init__(self, settings: Settings) -> None:
        self._words = [
            *configured(settings, "deploy.salt-call", "salt-call"),
            "--out=json",
            "--log-level=quiet",
        ]

    def call(self, function: str, arguments: Arguments) -> object:
        """See :class:`PolledDoor`."""
        given = json.dumps([bare(key, value) for key, value in arguments.items()])
        printed = output_of(
            [*self._words, "publish.runner", f"deploy.{function}", f"arg={given}"], shows=False
        )
        try:
            said = json.loads(printed)["local"]
        except (ValueError, LookupError, TypeError):
            shown = legible(printed.decode("utf-8", "backslashreplace").strip()[:_SHOWN])
            raise Unavailable(
                f"salt-call gave no answer: {shown}", next="salt-call publish.runner deploy.locks"
            ) from None
        if said == {}:
            raise NoPermission(
                f"the master does not let this minion call deploy.{function}",
                next="peer_run: {<this minion's id>: [deploy.*]} in the master's configuration, and restart the master",
            )
        return said
