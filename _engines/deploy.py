"""
Resumes deploys whose process died, for example since the master's host was restarted.

In the master's configuration:

.. code-block:: yaml

    engines:
      - deploy:
          every: 10

Such a deploy is one whose journal has no end and whose lock nobody holds. Each host is asked what it has done, and
nothing is done twice. When going on does not succeed, it is tried again later, and then later still. What is older
than a day is left to ``salt-run deploy.resume``.
"""

import logging
import os
import time

import saltdeploy

saltdeploy.require("0.2.0")

from saltbridge.master import open_master, pillar, root, site
from saltdeploy import upfront
from saltdeploy.lib import errors
from saltdeploy.master import background, deploy
from saltdeploy.master.auto_resume import DeadDeploys

log = logging.getLogger(__name__)

__virtualname__ = "deploy"


def __virtual__():
    return __virtualname__


def start(every=10):
    """
    Look for deploys without a process, for as long as the master runs.

    every
        Seconds between two looks. The first one comes after as many: minions have to find the master again.
    """
    upfront.load(upfront.DEPLOY)  # the package may be replaced before the first of them is found
    orphans = DeadDeploys(root(__opts__), patience=6 * every)
    while True:
        time.sleep(every)
        for orphan in orphans.due(time.time()):
            log.warning("Going on with deploy %s of %s: its process died.", orphan.deploy, orphan.repo)
            _go_on(orphan)


def _go_on(orphan):
    opts = __opts__

    def work(watchers, aborted):
        try:
            with open_master(opts, "engine", watchers, aborted) as master:
                report = deploy.resume(orphan.deploy, pillar(opts), site(opts), master)
            log.warning("Deploy %s of %s: %s.", orphan.deploy, orphan.repo, report.outcome)
        except (errors.DeployError, OSError) as error:
            log.error("Deploy %s of %s cannot go on: %s", orphan.deploy, orphan.repo, error)
        except Exception:  # noqa: BLE001 - whoever works in the background raises nothing
            log.exception("Deploy %s of %s cannot go on.", orphan.deploy, orphan.repo)
        return {}

    os.close(background.start(work, root(opts) / "deploy.log"))  # it tells its journal, and who watches that
