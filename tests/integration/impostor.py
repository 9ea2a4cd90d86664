"""What a hostile minion can do with its own key: put things on the master's bus and into its job cache."""

from __future__ import annotations

from typing import Any

import salt.channel.client

from tests.integration.fleet import Fleet


class Impostor:
    """Speaks to the master with the real key of one minion."""

    def __init__(self, fleet: Fleet, host: str) -> None:
        self._opts = fleet.minion_opts(host)

    def put_on_the_bus(self, *events: tuple[str, Any]) -> None:
        """Events under any tag and with any content: Salt checks who sent them, not of whom they speak."""
        listed = [{"tag": tag, "data": data} for tag, data in events]
        self._send({"cmd": "_minion_event", "pretag": None, "events": listed})

    def put_into_the_job_cache(self, jid: str, host: str, function: str, answer: Any) -> None:
        """The return of another minion; the first that is written stays."""
        returned = {"fun": function, "return": answer, "success": True, "retcode": 0}
        self._send({"cmd": "_return", "jid": jid, "resource_id": host, **returned})

    def pillar_of(self, host: str) -> Any:
        """What the master says when it is asked for the pillar of another minion."""
        asked = {"saltenv": "base", "pillarenv": None, "grains": {"id": host}, "ver": "2"}
        return self._send({"cmd": "_pillar", "id": host, **asked})

    def _send(self, load: dict[str, Any]) -> Any:
        with salt.channel.client.ReqChannel.factory(self._opts) as channel:
            return channel.send({"id": self._opts["id"], **load}, timeout=5, tries=1)
