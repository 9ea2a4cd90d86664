"""
Tell each minion which releases it should be running, and the secret that it signs its answers with.

.. code-block:: yaml

    ext_pillar:
      - deploy_pins: {}

The data stand under the pillar key ``deploy``. With it ``deploy.pinned`` converges a minion that was away, and
no minion can answer under another's name.
"""

import json
from pathlib import Path

import salt.utils.minions
import saltdeploy

saltdeploy.require("0.2.0")

from saltdeploy.lib import lifetime
from saltdeploy.master.upkeep import ext_pillar as pins
from saltdeploy.protocol.pillar import ASKED, LOST

__virtualname__ = "deploy_pins"


def __virtual__():
    if lifetime.is_daemon(__opts__):
        from saltdeploy.config import upfront
        from saltdeploy.git import credentials

        upfront.load(upfront.PILLAR)
        credentials.sweep(
            Path(__opts__["cachedir"], "deploy")
        )  # what a deploy had that died with the master's host
    return __virtualname__


# Salt before 3008 tells what a minion said only to a function that takes it by position as well.
def ext_pillar(minion_id, pillar, given=None, extra_minion_data=None, **kwargs):
    """The minion's secret and pins; see :func:`saltdeploy.master.upkeep.ext_pillar.data_for`.

    given
        Whatever stands behind ``deploy_pins`` in the master's configuration; nothing of it is read.

    extra_minion_data
        What the minion said when it asked: under ``deploy_lost`` the repos for which it needs a way from nothing, under
        ``deploy_asked`` a word that it wants to hear again.
    """
    wanted = {key: pillar.get(key) for key in ("deployment_config", "repo_config")}
    written = json.dumps(wanted, default=str)
    plain = json.loads(written)

    def is_target(expression, kind):
        if "__deploy_ssh_host" in __opts__:  # see saltbridge/ssh_hosts.py, which is loaded where that is set
            from saltbridge import ssh_hosts

            return ssh_hosts.is_match(
                __opts__, **__opts__["__deploy_ssh_host"], expression=expression, kind=kind
            )
        found = salt.utils.minions.CkMinions(__opts__).check_minions(expression, kind)
        return minion_id in found["minions"]

    said = extra_minion_data or {}
    lost, word = said.get(LOST), said.get(ASKED)
    lost = [str(repo) for repo in lost] if isinstance(lost, list) else []
    word = word[:64] if isinstance(word, str) else ""
    if '"sdb://' in written:
        from saltbridge import secrets_of_salt

        secrets_of_salt.opened(__opts__)
    root = Path(__opts__["cachedir"], "deploy")
    return {"deploy": pins.data_for(minion_id, root, plain, is_target, lost, word)}
