"""
Serves payloads over http from this host: a fanout for small fleets, or the master's own. For larger ones there is
nginx, see ``formula/deploy/fanout.sls``.

In the configuration of a minion or of the master:

.. code-block:: yaml

    engines:
      - deploy_payloads:
          address: 10.0.0.7
          port: 8010

Whoever reaches the port and knows a payload's sha256 gets it; nothing is listed.
"""

import asyncio
import logging
from pathlib import Path

import saltdeploy

saltdeploy.require("0.2.0")

from saltdeploy.download import server

log = logging.getLogger(__name__)

__virtualname__ = "deploy_payloads"


def __virtual__():
    return __virtualname__


def start(port, address="127.0.0.1", directory=None):
    """
    Serve for as long as Salt runs.

    port
        Where to listen.
    address
        On which of the host's addresses; "" for all of them.
    directory
        Where the payloads lie: ``payload_dir`` of the pillar where it is set. Without it, where the master and minions
        keep them by themselves.
    """
    place = Path(directory) if directory else Path(__opts__["cachedir"], "deploy", "payloads")
    log.info("Serving the payloads in %s on %s port %s.", place, address or "all addresses", port)
    try:
        asyncio.run(server.serve(place, address, int(port)))
    except OSError as error:
        log.error(
            "Payloads are not served: %s. Next: choose another port or address for the engine deploy_payloads.",
            error,
        )
        raise
