"""
Writes what a minion answers into Trebuchet's keys of redis, as Trebuchet's returner of this name did.

.. code-block:: bash

    salt 'web*' deploy.fetch mediawiki --return deploy_redis

The server is ``deployment_config:redis`` of the minion's pillar. Where the master's engine ``deploy`` fills that redis,
deploys need no returner; this one is for functions that are called by hand or by a state.
"""

import contextlib
import logging
import time

import saltdeploy

saltdeploy.require("0.2.0")

from saltdeploy.config.redis import redis
from saltdeploy.lib import errors
from saltdeploy.watch.redis_keys import of_return
from saltdeploy.watch.redis_server import RedisServer, RedisSettings

log = logging.getLogger(__name__)

__virtualname__ = "deploy_redis"


def __virtual__():
    return __virtualname__


def returner(ret):
    """
    Write one answer. What cannot be written is logged; the job is none the worse.

    ret
        A job's return, as Salt hands it to returners.
    """
    try:
        commands = of_return(str(ret.get("fun")), str(ret.get("id")), ret.get("return"), time.time())
        section = redis(__pillar__) if commands else None
        if section is None:
            return
        with contextlib.closing(RedisServer(RedisSettings(**section))) as server:
            server.write(commands)
    except errors.DeployError as error:
        log.error("%s", error)
