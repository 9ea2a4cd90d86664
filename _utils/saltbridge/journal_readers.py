"""Who reads the journals of this master beside deploys, as its pillar says; see :mod:`saltdeploy.master.upkeep.retention`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from saltdeploy.config.redis import redis
from saltdeploy.config.signals import signals
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.upkeep.retention import Readers
from saltdeploy.watch.redis_filler import POSITIONS
from saltdeploy.watch.redis_server import RedisServer, RedisSettings


def journal_readers(pillar: dict[str, Any]) -> Readers:
    """Redis and the sinks of signals; what cannot be read in the pillar holds journals back."""
    sinks = None
    with contextlib.suppress(DeployError):
        sinks = frozenset(sink.name for sink in signals(pillar))
    deployment = pillar.get("deployment_config")
    wanted = isinstance(deployment, dict) and deployment.get("redis")
    return Readers((lambda: _told(pillar)) if wanted else None, sinks)


def _told(pillar: dict[str, Any]) -> Mapping[str, int]:
    with contextlib.closing(RedisServer(RedisSettings(**(redis(pillar) or {})))) as server:
        return {deploy: int(at) for deploy, at in server.table(POSITIONS).items()}
