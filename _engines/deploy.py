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

It also keeps the warm door open, by which the command ``saltdeploy`` comes in (docs/warm-door.md).

Where the pillar has ``deployment_config:redis``, a process beside it fills that redis from the journals (docs/redis.md).
Where it has ``deployment_config:signals``, other systems are told what deploys do (docs/signals.md).
"""

import functools
import logging
import multiprocessing
import os
import time

import saltdeploy

saltdeploy.require("0.2.0")

from saltbridge import asking
from saltbridge.master import execute, open_master, pillar, root, site, store
from saltdeploy.config import upfront
from saltdeploy.config.redis import redis
from saltdeploy.config.repo import repo_names
from saltdeploy.config.signals import signals
from saltdeploy.lib import errors
from saltdeploy.lib.kept import Kept
from saltdeploy.master import deploy
from saltdeploy.master.door.keeper import DoorKeeper
from saltdeploy.master.records.forgotten import ForgottenHosts
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.journal_list import JournalList
from saltdeploy.master.records.kept_totals import TotalsFile
from saltdeploy.master.records.told_positions import ToldPositions
from saltdeploy.master.running import background
from saltdeploy.master.running.auto_resume import DeadDeploys
from saltdeploy.watch.redis_filler import RedisFiller
from saltdeploy.watch.redis_server import RedisServer, RedisSettings
from saltdeploy.watch.signals.office import Office, World
from saltdeploy.watch.signals.sink import SinkSettings
from saltdeploy.web import standings

log = logging.getLogger(__name__)

__virtualname__ = "deploy"

_PILLAR_EVERY = 60.0  # seconds; it may have changed, and a look takes a second of a processor
_NICE = 10  # of a process that tells others: it yields to everybody who deploys
_FAREWELL = 5.0  # seconds that a process may take to end


def __virtual__():
    return __virtualname__


def start(every=10, door=True):
    """
    Look for deploys without a process, and open the warm door, for as long as the master runs.

    every
        Seconds between two looks. The first one comes after as many: minions have to find the master again.
    door
        Let the command ``saltdeploy`` in, which needs no start of Salt.
    """
    upfront.load(upfront.DEPLOY)  # the package may be replaced before the first of them is found
    orphans = DeadDeploys(root(__opts__), patience=6 * every)
    known = Kept(lambda: pillar(__opts__), _PILLAR_EVERY)
    office = _office(known)
    redis_now = Kept(functools.partial(_redis, known, []), _PILLAR_EVERY)
    filler = (None, None)
    keeper = DoorKeeper(__opts__["conf_file"], root(__opts__) / "deploy.log") if door else None
    roles_until = 0.0
    while True:
        if keeper and time.monotonic() >= roles_until:
            roles_until = time.monotonic() + _PILLAR_EVERY
            _remember_roles()
        filler = _keep_filling(redis_now(), *filler)
        office.look()
        if keeper:
            keeper.keep(every)
        else:
            time.sleep(every)
        for orphan in orphans.due(time.time()):
            log.warning("Going on with deploy %s of %s: its process died.", orphan.deploy, orphan.repo)
            _go_on(orphan)


def _remember_roles():
    """Who has a role, for the warm door, which asks no pillar."""
    try:
        asking.configured(__opts__)
    except (errors.DeployError, OSError) as error:
        log.error("Roles are not as the pillar says: %s", error)


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


def _keep_filling(wanted, settings, process):
    """The process that fills redis, with its settings: as the pillar says now, or none."""
    if process is not None and wanted == settings and process.is_alive():
        return settings, process
    if process is not None:
        process.terminate()
        process.join(_FAREWELL)
    return wanted, _start_filler(wanted) if wanted else None


def _start_filler(settings):
    """A process of its own: a redis that is slow or away holds up nobody who goes on with a deploy."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_fill, args=(os.getpid(), settings), name="deploy-redis", daemon=True)
    process.start()
    return process


def _office(known):
    """Where other systems are told what deploys do; each by a process of its own."""
    here = root(__opts__)
    world = World(
        journals=lambda: JournalList(Journals(here)),
        positions=functools.partial(ToldPositions, here),
        execute=functools.partial(execute, __opts__),
        standing=functools.partial(_standing, here),
        totals=functools.partial(TotalsFile, here),
    )
    return Office(world, functools.partial(_signals, known))


def _signals(known):
    """What the pillar says of signals now; None where it cannot be read."""
    try:
        return [SinkSettings(**vars(sink)) for sink in signals(known())]
    except errors.DeployError as error:
        log.error("Signals are not as the pillar says: %s", error)
        return None


def _standing(here):
    """How the repos stand now, for metrics."""
    return standings.of_all(repo_names(pillar(__opts__)), here, store(__opts__))


def _fill(engine, settings):
    """Fill redis for as long as the engine lives, or until the pillar says otherwise."""
    os.nice(_NICE)
    filler = _filler(settings, root(__opts__))
    while os.getppid() == engine:
        try:
            wait = filler.look() if filler else _PILLAR_EVERY
        except Exception:  # noqa: BLE001 - a damaged file of one deploy must not end it for all
            log.exception("Redis is not filled.")
            wait = 30.0
        time.sleep(wait)


def _redis(known, before):
    """What the pillar says of redis now; what was known ``before``, where it cannot be read."""
    try:
        section = redis(known())
        before[:] = [RedisSettings(**section) if section else None]
    except errors.DeployError as error:
        log.error("Redis is not filled as the pillar says: %s", error)
    return before[0] if before else None


def _filler(settings, here):
    try:
        server = RedisServer(settings)
    except errors.DeployError as error:
        log.error("Redis is not filled: %s", error)
        return None
    log.info("%s is filled from the journals.", settings.place)
    return RedisFiller(server, JournalList(Journals(here)), ForgottenHosts(here).all)
