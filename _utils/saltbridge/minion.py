"""Makes of Salt what a minion's door needs."""

from __future__ import annotations

import json
from typing import Any

import salt.channel.client
import salt.exceptions

Opts = dict[str, Any]


def pillar_of_now(opts: Opts, grains: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The pillar of this minion, compiled by the master at this moment and not taken from its cache.

    Salt's own ``salt.pillar.get_pillar`` has a parameter for that, and does not pass it on to a master.

    Args:
        said: what an ext_pillar is told beside the grains.

    Raises:
        SaltException, OSError: the master does not answer, or with something else.
    """
    load = {
        "cmd": "_pillar",
        "ver": "2",
        "id": opts["id"],
        "grains": grains,
        "saltenv": opts.get("saltenv"),
        "pillarenv": opts.get("pillarenv"),
        "pillar_override": {},
        "extra_minion_data": said,
        "clean_cache": True,
    }
    with salt.channel.client.ReqChannel.factory(opts) as channel:
        told = channel.crypted_transfer_decode_dictentry(load, dictkey="pillar")
    if not isinstance(told, dict):
        raise salt.exceptions.SaltClientError(f"it answers with no pillar: {type(told).__name__}")
    plain: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return plain
