"""
Deploy tagged releases to every target, atomically, from the master.

``salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1`` prepares the release on all targets, waits
until each one is ready, and then switches them. Every deploy ends in one of four words: ``CONVERGED``,
``HELD``, ``ROLLED BACK``, ``MIXED``; the exit status is 0 for the first one only.
"""

import contextlib
import functools
import inspect
import json
import os
import signal
import sys
import time
from pathlib import Path

import salt.client
import salt.loader
import salt.pillar
import salt.utils.event
import salt.utils.jid
import salt.utils.minions
import salt.version
import saltdeploy

saltdeploy.require("0.1.0")

from saltdeploy import config, errors, events, orders, release, support
from saltdeploy.master import journal, lock, pins
from saltdeploy.master import report as reports
from saltdeploy.master import sync as deploys
from saltdeploy.watch import terminal

__virtualname__ = "deploy"
_OUTPUTTER = "deploy"


def __virtual__():
    return __virtualname__


def _door(function):
    """Check the arguments, catch everything, set the exit status: Salt exits 0 for errors of these kinds."""
    signature = inspect.signature(function)

    def door(*args, **kwargs):
        repo = ""
        try:
            kwargs = {key: value for key, value in kwargs.items() if not key.startswith("__")}
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                usage = f"salt-run deploy.{function.__name__}{signature}"
                raise errors.BadArguments(str(error), next=usage) from None
            repo = str(bound.arguments.get("repo", ""))
            support.check_salt(salt.version.__version_info__, host=__opts__["id"])
            view = function(*bound.args, **bound.kwargs)
        except errors.DeployError as error:
            view = reports.of_error(error.at(repo=repo))
        except OSError as error:
            view = reports.of_error(errors.from_os(error, repo=repo))
        except Exception as error:  # noqa: BLE001 - anything else would exit 0, or print a bare traceback
            view = reports.of_error(errors.DeployError(f"{type(error).__name__}: {error}", repo=repo))
        view = {"retcode": 0, **view, "outputter": _OUTPUTTER}
        __context__["retcode"] = view["retcode"]
        return view

    # no functools.wraps: Salt must see *args and **kwargs, or it swallows wrong ones before we do
    door.__name__, door.__doc__ = function.__name__, function.__doc__
    return door


@_door
def sync(repo, tag, force=False):
    """
    Take a release to every target: fetch everywhere, wait until all are ready, switch.

    repo
        Name of the repo, a key of ``repo_config`` in the pillar.
    tag
        The git tag to deploy.
    force
        Deploy though a target of the last deploy is no longer matched.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1
    """
    return _deploy(deploys.Wish(deploys.SYNC, _text(repo), _text(tag), bool(force)))


@_door
def fetch(repo, tag, force=False):
    """
    Bring a release to every target's disk, whole and verified. What users see does not change.

    repo, tag, force
        See ``deploy.sync``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.fetch repo=mediawiki tag=release/2026-11-23/1
    """
    return _deploy(deploys.Wish(orders.FETCH, _text(repo), _text(tag), bool(force)))


@_door
def checkout(repo, tag, force=False):
    """
    Switch every target to a release that all of them have fetched before.

    repo, tag, force
        See ``deploy.sync``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.checkout repo=mediawiki tag=release/2026-11-23/1
    """
    return _deploy(deploys.Wish(orders.CHECKOUT, _text(repo), _text(tag), bool(force)))


@_door
def rollback(repo, to="", force=False):
    """
    Switch every target back to an earlier release. Needs neither git nor network where it is still on disk.

    repo
        Name of the repo.
    to
        A tag that was deployed before. Without it: the release before the present one.
    force
        See ``deploy.sync``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.rollback repo=mediawiki
    """
    return _deploy(deploys.Wish(orders.ROLLBACK, _text(repo), _text(to), bool(force)))


@_door
def report(repo):
    """
    Who runs what: pinned, on disk, unreachable. Non-zero exit status unless every target runs what is pinned.

    repo
        Name of the repo.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.report repo=mediawiki
    """
    found = config.load(_pillar(), _text(repo), _site())
    with _bus() as bus:
        return reports.of_fleet(found, _master(bus))


@_door
def versions(repo):
    """
    The history of a repo, newest first: tag, commit, who, when, outcome.

    repo
        Name of the repo.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.versions repo=mediawiki
    """
    found = config.load(_pillar(), _text(repo), _site())
    return {
        "view": "versions",
        "repo": found.name,
        "versions": journal.Journals(_root()).versions(found.name),
    }


@_door
def targets(repo):
    """
    The minions that take a repo.

    repo
        Name of the repo.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.targets repo=mediawiki
    """
    found = config.load(_pillar(), _text(repo), _site())
    hosts = _targets(found.targets, found.targets_type)
    return {
        "view": "targets",
        "repo": found.name,
        "hosts": hosts,
        "expression": found.targets,
        "type": found.targets_type,
        "retcode": 0 if hosts else 1,
    }


@_door
def watch(repo="", deploy=""):
    """
    Replay a deploy and follow it to its end; to be joined at any time, from any terminal of the master.

    repo
        Name of the repo. Without it: the repo that is being deployed, or was last.
    deploy
        The deploy's id. Without it: the newest one.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.watch repo=mediawiki
    """
    journals = journal.Journals(_root())
    name = _text(repo) or _busiest(journals)
    wanted = _text(deploy) or journals.latest(release.check_repo(name))
    path = journals.path(name, wanted)
    if not wanted or not path.is_file():
        raise errors.NoSuchDeploy(
            f"there is no deploy {wanted}" if wanted else "it was never deployed",
            repo=name,
            next=f"salt-run deploy.versions repo={name}",
        )
    return _watch(name, wanted, path)


def _deploy(wish):
    deploy = str(globals().get("__jid__") or salt.utils.jid.gen_jid(__opts__))
    user = str(globals().get("__user__") or "")
    with _bus() as bus, _stoppable() as aborted, _watcher() as watchers:
        master = _master(bus, user=user, aborted=aborted, watchers=watchers)
        done = deploys.run(wish, _pillar(), _site(), deploy, master)
    return reports.of_deploy(done, wish.repo)


def _watch(repo, deploy, path):
    last = {}
    with _watcher() as watchers:
        for event in journal.follow(path, lambda: lock.is_held(_root(), repo), time.sleep):
            for watcher in watchers:
                watcher.tick(time.time()) if event is None else watcher.hear(event)
            last = event or last
    ended = last.get("event") == events.FINISHED
    known = (
        {key: last.get(key) for key in ("tag", "outcome", "ok", "total", "reason", "next")} if ended else {}
    )
    succeeded = known.get("outcome") == "CONVERGED"
    return {"view": "watched", "repo": repo, "deploy": deploy, **known, "retcode": 0 if succeeded else 1}


def _busiest(journals):
    """The repo that is being deployed, or was last."""
    names = config.repo_names(_pillar())
    running = [name for name in names if lock.is_held(_root(), name)]
    latest = max(names, key=journals.latest, default="")
    if not running and not latest:
        raise errors.UnknownRepo("there is no repo in the pillar", next="add one under repo_config")
    return running[0] if running else latest


# -- what the package needs of Salt ---------------------------------------------------------------------


class _Bus:
    """Salt's publisher and event bus, as :class:`saltdeploy.master.fleet.Bus` wants them."""

    def __init__(self, client, listener):
        self._client = client
        self._listener = listener

    def new_jid(self):
        return salt.utils.jid.gen_jid(__opts__)

    def publish(self, hosts, function, arguments, jid):
        self._client.run_job(list(hosts), function, arguments, tgt_type="list", jid=jid, listen=False)

    def next(self, wait):
        found = self._listener.get_event(wait=wait or 1, tag="", full=True, no_block=not wait)
        return (found["tag"], found["data"]) if found else None

    def fire(self, tag, data):
        self._listener.fire_event(data, tag)

    def now(self):
        return time.time()


@contextlib.contextmanager
def _bus():
    with salt.client.get_local_client(mopts=__opts__) as client:
        listener = salt.utils.event.get_event("master", opts=__opts__, listen=True)
        with listener:
            bus = _Bus(client, listener)
            _say_hello(bus)
            yield bus


def _say_hello(bus):
    """Hear ourselves before anybody is asked: a subscription that is not up yet would miss the answers."""
    tag = f"{events.ROOT}/hello/{os.getpid()}/{bus.new_jid()}"
    for _ in range(20):
        bus.fire(tag, {})
        heard = bus.next(0.25)
        while heard:
            if heard[0] == tag:
                return
            heard = bus.next(0.25)
    raise errors.DeployError(
        "the master's event bus does not answer",
        host=__opts__["id"],
        next="see that salt-master runs on this host",
    )


@contextlib.contextmanager
def _stoppable():
    """Ctrl-C and SIGTERM stop the deploy in good order; a terminal that goes away (SIGHUP) does not stop it."""
    reasons = []

    def stop(number, frame):
        reasons.append(f"stopped by {signal.Signals(number).name}")

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    except ValueError:  # not the main thread: a reactor or an API, which has no terminal to press Ctrl-C at
        before = {}
    try:
        yield lambda: reasons[0] if reasons else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _watcher():
    """The terminal that started us; on stderr, so that the result on stdout stays whole."""
    if __opts__.get("quiet"):
        yield ()
        return
    watcher = terminal.for_stream(sys.stderr)
    try:
        yield (watcher,)
    finally:
        watcher.close()


def _master(bus, user="", aborted=lambda: "", watchers=()):
    return deploys.Master(
        root=_root(),
        bus=bus,
        targets=_targets,
        accepted=lambda: _targets("*", "glob"),
        secret=_secrets(),
        user=user,
        aborted=aborted,
        watchers=watchers,
    )


def _targets(expression, kind):
    found = salt.utils.minions.CkMinions(__opts__).check_minions(expression, kind)
    return sorted(release.check_host(host) for host in found["minions"])


def _secrets():
    """Host to its secret; answers are not signed where the master has no ext_pillar ``deploy_pins``."""
    configured = any("deploy_pins" in entry for entry in __opts__.get("ext_pillar", []))
    if not configured:
        return lambda host: ""
    return functools.partial(orders.secret_for, master_secret=pins.master_secret(_root()))


def _root():
    root = Path(__opts__["cachedir"], "deploy")
    root.mkdir(parents=True, exist_ok=True)
    return root


def _pillar():
    """The pillar as plain data, compiled for the master's own minion id."""
    compiled = salt.pillar.Pillar(__opts__, _grains(), __opts__["id"], "base").compile_pillar()
    if compiled.get("_errors"):
        raise errors.ConfigError(
            "the pillar does not render: " + "; ".join(map(str, compiled["_errors"]))[:1000],
            host=__opts__["id"],
            next="salt-run pillar.show_pillar",
        )
    wanted = {key: compiled.get(key) for key in ("deployment_config", "repo_config")}
    return json.loads(json.dumps(wanted, default=str))


@functools.cache
def _grains():
    """The grains of the master's host; a runner has none of its own."""
    return salt.loader.grains(__opts__)


def _site():
    return str(_grains().get("site", ""))


def _text(value):
    """An argument as text: on a command line, 2026 and 1.5 come as numbers."""
    return str(value)
