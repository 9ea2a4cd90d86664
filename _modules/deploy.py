"""Deploy releases on this minion: fetch prepares, checkout switches.

The master's runner ``deploy.sync`` asks for these stages; by hand they converge the minion to the release
that the master has pinned. Answers have Trebuchet's shape and status numbers: ``status`` is 0 when it worked.
"""

import dataclasses
import functools
import inspect
import json
import logging
import os
import secrets
import shlex
import time
from pathlib import Path

import salt.exceptions
import salt.utils.args
import salt.utils.http
import salt.version
import saltdeploy

saltdeploy.require("0.2.0")

from saltbridge import minion as bridge
from saltdeploy import config
from saltdeploy.checks.http import client
from saltdeploy.config import upfront
from saltdeploy.config.repo import unknown_in_pillar
from saltdeploy.content.slices import PathSlice
from saltdeploy.download.salt import SaltFiles
from saltdeploy.download.swarm.client import SwarmAccess
from saltdeploy.lib import arguments, errors, os_errors, text, versions, wire_errors
from saltdeploy.minion import adopt as minion_adopt
from saltdeploy.minion import (
    by_hand,
    calls,
    configuration,
    deployment_server,
    downloads,
    masters_word,
    own_orders,
    stages,
)
from saltdeploy.minion import doctor as minion_doctor
from saltdeploy.minion import gc as minion_gc
from saltdeploy.minion import preseed as minion_preseed
from saltdeploy.minion import untracked as minion_untracked
from saltdeploy.minion.configuration import Configurations
from saltdeploy.protocol import orders
from saltdeploy.protocol.pillar import ASKED, LOST
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.swarm import Identity

# A stage may take an hour, and a sync replaces the package in a moment: nothing is left to be loaded later. In a minion
# this costs nothing, since its grains have loaded it for all its jobs.
upfront.load(upfront.MINION)

log = logging.getLogger(__name__)
__virtualname__ = "deploy"
#: A line a host for people; ``--out=json`` has the whole answer.
__outputter__ = {"status": "deploy", "verify": "deploy"}

FETCH_WITHOUT_TAG, CHECKOUT_WITHOUT_TAG = 10, -1  # Trebuchet's numbers for "no valid tag"


def __virtual__():
    try:
        versions.check_salt(salt.version.__version_info__)
    except errors.SaltTooOld as error:
        return False, str(error)
    return __virtualname__


def _door(function):
    """Read the arguments; one that is not valid is an answer too."""
    name = f"deploy.{function.__name__}"
    signature = inspect.signature(function)

    @functools.wraps(function)
    def door(*args, **kwargs):
        # under Salt's executor sudo a salt-call in between has an id of its own, which the master never asked under
        known = kwargs.get("__pub_tgt") != "salt-call"
        job = calls.JOB.set(str(kwargs.get("__pub_jid") or "") if known else "")
        kwargs = {key: value for key, value in kwargs.items() if not key.startswith("__")}
        try:
            return act(args, kwargs)
        finally:
            calls.JOB.reset(job)

    def act(args, kwargs):
        command = f"salt {shlex.quote(__opts__['id'])} {name}"
        call = arguments.Call(command, signature, arguments.ONE_REPO)
        try:
            known = arguments.typed(__opts__, name, salt.utils.args.parse_input)
            bound = call.read(args, kwargs, known)
        except errors.BadArguments as error:
            return _refused(error.repo, error)
        return function(*bound.args, **bound.kwargs)

    # Salt tells the job's id to a function that takes any keywords, and looks below what functools.wraps has wrapped
    del door.__wrapped__
    keywords = inspect.Parameter("published", inspect.Parameter.VAR_KEYWORD)
    door.__signature__ = signature.replace(parameters=[*signature.parameters.values(), keywords])
    return door


@_door
def fetch(repo, order=None):
    """
    Bring a release to this minion's disk, whole and verified. What users see does not change.

    repo
        Name of the repo, a key of ``repo_config`` in the pillar.
    order
        What the master asks for; a list where several repos are deployed as one, ``repo`` first. Without it: the
        release that the master has pinned.

    CLI Example:

    .. code-block:: bash

        salt -G 'deployment_target:test/testrepo' deploy.fetch 'test/testrepo'
    """
    return _stage(orders.FETCH, repo, order, FETCH_WITHOUT_TAG)


@_door
def join(repo):
    """
    Get ready for a swarm: let this minion's seeder run, which gives pieces of payloads to others and takes theirs, and
    answer where it listens. The master asks for it before a fetch by ``transport: swarm``; the seeder ends by itself.

    repo
        Name of the repo.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.join 'test/testrepo'
    """
    return _answer(repo, lambda found: downloads.join(found, _host()))


@_door
def preseed(repo, order=None):
    """
    Bring payloads to this minion's disk, to be served to others or for a later fetch. Touches no release, takes no
    lock of a deploy, and may be repeated: what is here is not fetched again.

    repo
        Name of the repo.
    order
        What the master asks for. Without it: the payloads of the release that the master has pinned.

    CLI Example:

    .. code-block:: bash

        salt 'fan*' deploy.preseed 'test/testrepo'
    """

    def ask(found):
        wanted = _wanted(repo, order, FETCH_WITHOUT_TAG, f"salt-run deploy.preseed repo={repo} tag=...")
        return minion_preseed.preseed(
            orders.Order.from_wire({**wanted, "stage": orders.PRESEED}), found, _host()
        )

    return _answer(repo, ask)


@_door
def checkout(repo, reset=False, order=None):
    """
    Switch to a release that was fetched, by one rename.

    repo
        Name of the repo.
    reset
        Trebuchet's argument; with layout ``slots`` there is nothing to reset, ``inplace`` always resets.
    order
        What the master asks for, as for ``deploy.fetch``. Without it: the release that the master has pinned.

    CLI Example:

    .. code-block:: bash

        salt -G 'deployment_target:test/testrepo' deploy.checkout 'test/testrepo'
    """
    return _stage(orders.CHECKOUT, repo, order, CHECKOUT_WITHOUT_TAG)


@_door
def rollback(repo, order=None):
    """
    Switch back to the release that was live before, on this minion only. Needs no network.

    repo
        Name of the repo.
    order
        What the master asks for.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.rollback 'test/testrepo'
    """
    if order is not None:
        return _stage(orders.ROLLBACK, repo, order, CHECKOUT_WITHOUT_TAG)

    def back(found):
        jid = time.strftime("%Y%m%d%H%M%S", time.gmtime()) + f"{time.time_ns() % 1_000_000_000 // 1000:06d}"
        epoch = stages.epoch(found, _host())
        order = orders.Order(jid, epoch, orders.ROLLBACK, own_orders.previous(found), group=_group(repo))
        return stages.run([stages.Task(order, found)], _host())

    return _answer(repo, back)


@_door
def once(repo, order):
    """
    Run a step that the repo's pillar names below ``once``, for a deploy of the master. A run that was begun here before
    is never begun again.

    repo
        Name of the repo.
    order
        What the master asks for: which step, of which deploy.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.result 20261123101112000000 once 'test/testrepo'
    """
    return _stage(orders.ONCE, repo, order, CHECKOUT_WITHOUT_TAG)


@_door
def restart(repo):
    """
    Restart the repo's services and wait for its ports, as after a checkout, and do nothing else.

    repo
        Name of the repo.

    Returns Trebuchet's answer: ``status`` is ``True`` or ``False``; ``{}`` where the pillar names nothing to restart.

    CLI Example:

    .. code-block:: bash

        salt -b 10% -G 'deployment_target:test/testrepo' deploy.restart 'test/testrepo'
    """
    try:
        answer = stages.restart(_config(repo), _host())
    except errors.DeployError as error:
        return _refused(repo, error)
    __context__["retcode"] = 0 if answer.get("status", True) else 1
    return answer


@_door
def config_diff(repo, wanted):
    """
    What a release would change in the configuration files that this minion renders, for ``deploy.plan``: facts
    ``config:<path>``, without secrets. Changes nothing.

    repo
        Name of the repo.
    wanted
        What the master asks for: the release, and the templates that are in it.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.plan repo='test/testrepo' tag=release/2026-11-23/1
    """

    def look(found):
        said = wanted if isinstance(wanted, dict) else {}
        release = Release.from_wire(said.get("release") or {})
        texts = {str(path): str(text) for path, text in dict(said.get("texts") or {}).items()}
        return by_hand.config_diff(found, release, texts, _host())

    return _answer(repo, look)


@_door
def service(repo, verb):
    """
    Start, stop, restart or reload the services of a repo, and wait for its ports. No switch, no hooks, no checks. It waits
    for a stage that is under way.

    repo
        Name of the repo.
    verb
        ``start``, ``stop``, ``restart`` or ``reload``.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.service 'test/testrepo' stop
    """
    return _answer(repo, lambda found: by_hand.service(found, verb, _host()))


@_door
def maintenance(repo, on, reason=""):
    """
    Put this minion under the maintenance that the repo's pillar describes, or end it. What was begun so is ended by no
    deploy.

    repo
        Name of the repo.
    on
        Whether it begins.
    reason
        Why; ``deploy.status`` and the master's report show it.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.maintenance 'test/testrepo' True reason='new disks'
    """
    why = reason or "an operator said so"
    return _answer(repo, lambda found: by_hand.under_maintenance(found, _host(), on=on, why=why))


@_door
def status(repo=None):
    """
    What this minion has of a repo on disk, and what is live. Changes nothing. The fact ``stale`` says which process of
    the repo's services is older than the last switch, if one is.

    repo
        Name of the repo. Without it: every repo of the pillar, as a dict of answers.

    CLI Example:

    .. code-block:: bash

        salt '*' deploy.status 'test/testrepo'
    """
    if repo is None:
        return {name: status(name) for name in config.repo_names(_pillar()) or _kept()}
    return _answer(repo, lambda found: stages.look(found, _host()))


@_door
def result(deploy, stage, repo, attempt=1):
    """
    What became of a stage here: the stored answer, or ``running``, or neither when it was never begun.

    deploy
        The deploy's id.
    stage
        ``fetch``, ``checkout``, ``rollback``, ``preseed`` or ``once``.
    repo
        Name of the repo.
    attempt
        Answers to earlier attempts do not count.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.result 20261123101112000000 fetch 'test/testrepo'
    """

    def ask(found):
        known = stages.result(deploy, stage, found, _host(), attempt)
        if known is not None:
            return stages.with_facts(known, known=True)
        running = stages.is_running(stage, found, _host())
        return stages.with_facts(stages.status(found, _host()), known=False, running=running)

    return _answer(repo, ask, deploy)


@_door
def verify(repo, full=False, part=""):
    """
    Compare what is live with the release that it should be; name missing, changed and extra files. Waits for a stage
    that is under way.

    repo
        Name of the repo.
    full
        Read every byte. Otherwise only files whose size, times or inode changed since they were written.
    part
        Read every byte of this part of the files besides: ``3/10`` is the third of ten. A path is in the same part on
        each host and on each day.

    CLI Example:

    .. code-block:: bash

        salt '*' deploy.verify 'test/testrepo' full=True
        salt '*' deploy.verify 'test/testrepo' part=3/10
    """

    def look(found):
        findings = stages.verify(found, _host(), full=full, part=PathSlice.read(part) if part else None)
        read = {"part": part} if part else {}
        answer = stages.with_facts(stages.status(found, _host()), **findings.__dict__, **read)
        return answer if findings.ok else stages.differing(answer, findings, found)

    return _answer(repo, look)


@_door
def untracked(repo, coming=""):
    """
    What lies where the repo is live and is of no release: what an application wrote there, or what was there before the
    first deploy. It will not be there any more after the next switch. Only names are read. Changes nothing.

    repo
        Name of the repo.
    coming
        What the release has that is to come, as the master tells it.

    Returns the answer of a stage; the fact ``untracked`` names the first paths, and is not there where there are none.

    CLI Example:

    .. code-block:: bash

        salt '*' deploy.untracked 'test/testrepo'
    """

    def look(found):
        return stages.with_facts(stages.status(found, _host()), **minion_untracked.asked(found, coming))

    return _answer(repo, look)


@_door
def adopt(repo, path="", source=""):
    """
    Take over what is to be shared by all releases, without a deploy: of what is live it moves to where it is shared, in one
    step, and a link is left; from another directory it is copied. What is shared already is never touched.

    repo
        Name of the repo.
    path
        One path of ``shared`` in the pillar, or several, divided by commas. Without it: all of them.
    source
        A directory that has them, such as the one that the first deploy moved aside; it stays as it is. Without it: what
        is live.

    Returns the answer of a stage; the facts ``moved``, ``copied``, ``linked``, ``there_already`` and ``not_found`` name paths.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.adopt mediawiki path=LocalSettings.php,images source=/srv/www/mediawiki.20261123T101112Z
    """
    paths = [each.strip().rstrip("/") for each in path.split(",") if each.strip()]
    return _answer(repo, lambda found: minion_adopt.adopt(found, _host(), paths, source))


@_door
def doctor(repo=None):
    """
    What this minion is and has, for ``salt-run deploy.doctor``, which judges it: versions, git, programs, rights, disk,
    clock, and whether its pillar is the one that the master gives it now. Changes nothing.

    repo
        Name of the repo. Without it: only what is no repo's.

    Returns the answer of a stage; what was found stands in ``facts``.

    CLI Example:

    .. code-block:: bash

        salt '*' deploy.doctor 'test/testrepo'
    """
    try:
        fresh = _plain(bridge.pillar_of_now(dict(__opts__), dict(__grains__), {}))
    except (salt.exceptions.SaltException, OSError) as error:
        fresh = {"_error": str(error)[:1000]}
    record = Path(__opts__["cachedir"], "deploy")
    site = str(__grains__.get("site", ""))
    lacks = {
        "_states": "deploy.pinned" not in __salt__["sys.list_state_functions"]("deploy"),
        "_grains": not __grains__.get("saltext_deploy"),
    }
    lacking = [name for name, missing in lacks.items() if missing]
    found = minion_doctor.look(
        __opts__["id"], repo or "", _pillar(), fresh, site, time.time(), record, lacking
    )
    return _signed(found)


@_door
def gc(repo=None, test=False, wanted=None):
    """
    Free what this minion keeps and nobody needs: releases beyond those to keep, payloads, what was on its way. A repo
    of which a stage runs is left out. ``facts`` tell the bytes.

    repo
        Name of the repo. Without it: every repo of the pillar, and the payloads.
    test
        Change nothing; tell what would be freed.
    wanted
        What the master says of the payloads that it still has.

    CLI Example:

    .. code-block:: bash

        salt '*' deploy.gc test=True
    """
    site = str(__grains__.get("site", ""))
    try:
        if repo:
            _refuse_unknown(repo)
        found, unreadable = ([_config(repo)], {}) if repo else config.load_all(_pillar(), site)
        unknown = {name: why["cause"] for name, why in _ours().get("unknown", {}).items()}
        found, unreadable = [each for each in found if each.name not in unknown], {**unreadable, **unknown}
        answer = minion_gc.collect(
            found, _host(), whole=not repo, wanted=wanted, test=test, unreadable=unreadable
        )
    except errors.DeployError as error:
        return _refused(repo or "", error)
    return _signed(answer)


@_door
def get_config(repo):
    """
    The repo's configuration as this minion understands it: Trebuchet's keys and the new ones, with defaults.

    repo
        Name of the repo.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.get_config 'test/testrepo'
    """
    try:
        return _without_passwords(_config(repo).pillar.trebuchet)
    except errors.DeployError as error:
        return _refused(repo, error)


@_door
def sync_all():
    """
    Fetch and check out the pinned release of every repo that this minion takes. The master is asked what is pinned, since
    a pillar may be old. ``status`` is 0 when each repo is where the master wants it now. One of which something is here and
    nothing is pinned is not, nor is any where the master's word is an old one. ``left`` names what was left alone, and why:
    what was never deployed here, and what a deploy is bringing.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.sync_all
    """
    try:
        _ask_the_master()
    except errors.DeployError as error:
        __context__["retcode"] = 1
        return {"status": 1, "stats": {}, "error": error.at(host=__opts__["id"]).to_wire()}
    asked = calls.HAS_ASKED.set(True)
    try:
        return _converge()
    finally:
        calls.HAS_ASKED.reset(asked)


@_door
def deployment_server_init():
    """
    Make the staging repository of each repo of the pillar where it is not there yet: cloned from ``upstream`` with all
    submodules, or new; of the user that the grain ``deployment_repo_user`` names, with mode 2775; its name in
    ``deploy.repo-name``. A repository that is there is not touched. Only where the grain ``deployment_server`` is true.

    Returns 0, or 1 where one could not be made; the minion's log says why.

    CLI Example:

    .. code-block:: bash

        salt deploy.example.org deploy.deployment_server_init
    """
    if not __grains__.get("deployment_server"):
        return 0
    owner = str(__grains__.get("deployment_repo_user") or "")
    failed = []
    try:
        found, unreadable = config.load_all(_pillar(), str(__grains__.get("site", "")))
        parent_dir = str((_pillar()["deployment_config"] or {}).get("parent_dir") or "/srv/deployment")
        failed += unreadable.values()
        for staging in deployment_server.wanted(found, parent_dir):
            try:
                deployment_server.make(staging, owner)
            except errors.DeployError as error:
                failed.append(error)
    except errors.DeployError as error:
        failed.append(error)
    for error in failed:
        log.error("%s", error)
    __context__["retcode"] = 1 if failed else 0
    return __context__["retcode"]


@_door
def pin(repo, tag=None):
    """
    The release that this minion should be running, as the master tells it now: ``tag``, ``commit`` and an order for it;
    {} when unknown, or only ``error`` where the master does not tell it.

    repo
        Name of the repo.
    tag
        Another tag than the pinned one. Its commit is known here when the release is on disk.

    CLI Example:

    .. code-block:: bash

        salt web1 deploy.pin 'test/testrepo'
    """
    if tag is None:
        return _pinned_now(repo)
    pinned = _pinned(repo)
    if pinned.get("tag") == tag:
        return pinned
    try:
        order = own_orders.order_from_disk(tag, _config(repo), _host(), _group(repo))
    except errors.DeployError:
        return {}
    return (
        {"tag": order.release.tag, "commit": order.release.commit, "order": order.to_wire()} if order else {}
    )


def _converge():
    """Each repo to its pin, as the master tells it now."""
    stats, left = {}, {}
    own = [repo for repo in config.repo_names(_pillar()) if _pinned(repo)]
    for repo in sorted({*own, *masters_word.repos_of(_ours())}):
        why = _left_alone(repo)
        if not why:
            stats[repo] = _bring(repo)
            why = _overtaken(repo, stats[repo])
        if why:
            stats.pop(repo, None)
            left[repo] = why
    failed = any(answer["status"] != 0 for answers in stats.values() for answer in answers.values())
    __context__["retcode"] = 1 if failed else 0
    return {"status": 1 if failed else 0, "stats": stats, **({"left": left} if left else {})}


def _bring(repo):
    answers = {"deploy.fetch": fetch(repo)}
    if answers["deploy.fetch"]["status"] == 0:
        answers["deploy.checkout"] = checkout(repo)
    return answers


def _overtaken(repo, answers):
    """Why a repo was left alone after all: a deploy has begun meanwhile; "" where none has."""
    if not any(answer.get("error", {}).get("kind") == errors.Fenced.kind for answer in answers.values()):
        return ""
    try:
        _ask_the_master(again=True)
    except errors.DeployError:
        return ""
    return _left_alone(repo)


def _left_alone(repo):
    try:
        found = _config(repo)
        seen, answer = stages.epoch(found, _host()), stages.status(found, _host())
    except errors.DeployError:  # the stage says so
        return ""
    return masters_word.left_alone(_ours(), repo, seen, answer.commit) if answer.ok else ""


def _group(repo):
    """The group that the master has us in, as the pin tells it: some checks are for one group."""
    return str(_pinned(repo).get("order", {}).get("group", ""))


def _pinned(repo):
    """The newest pin that is known here; none while the master cannot tell what it has pinned."""
    if repo in _ours().get("unknown", {}):
        return {}
    return own_orders.newest_pin(_ours().get("pins", {}).get(repo, {}), repo, _host())


def _ask_the_master(lost=(), again=False):
    """Read our pillar anew, for this job. Without a master we know our own.

    lost
        Repos for which the pin must offer a way from nothing.
    again
        Though the call that calls has asked.
    """
    if _is_alone() or (calls.HAS_ASKED.get() and not lost and not again):
        return
    word = secrets.token_hex(16)
    try:
        told = bridge.pillar_of_now(dict(__opts__), dict(__grains__), {LOST: list(lost), ASKED: word})
    except (salt.exceptions.SaltException, OSError) as error:
        cause = f"the master does not tell what it has pinned: {error}"
        raise errors.Unavailable(cause, next=f"salt-run pillar.show_pillar {__opts__['id']}") from error
    if (
        told.get("deploy") or told.get("_errors") or config.repo_names(told)
    ):  # else there is nothing to be told
        masters_word.refuse_old(told.get("deploy") or {}, word, __opts__["id"])
    for key in ("deployment_config", "repo_config", "deploy"):
        if key in told:
            __pillar__[key] = told[key]


def _pinned_now(repo):
    """The pin as the master tells it now; {} where there is none, ``error`` where that cannot be known."""
    try:
        return _masters_pin(repo, FETCH_WITHOUT_TAG, "")
    except errors.NoSuchTag:
        return {}
    except errors.DeployError as error:
        return {"error": error.at(repo=repo, host=__opts__["id"]).to_wire()}


def _masters_pin(repo, without_tag, advice):
    """The pin as the master tells it now; without a master what a deploy has brought here."""
    _config(repo)  # who asks for a repo that is nowhere need not ask the master
    _ask_the_master()
    if _is_alone() and _pinned(repo):
        return _pinned(repo)
    seen, own = stages.epoch(_config(repo), _host()), own_orders.newest_pin({}, repo, _host())
    return masters_word.pin_of(_ours(), repo, seen, own, without_tag=without_tag, advice=advice)


def _wanted(repo, order, without_tag, advice):
    """What the master asks for, or the order of what it has pinned."""
    return order or _masters_pin(repo, without_tag, advice)["order"]


def _refuse_unknown(repo):
    """The master cannot tell what it has pinned: that is not to have pinned nothing."""
    why = _ours().get("unknown", {}).get(repo)
    if why:
        raise wire_errors.from_wire(why)


def _stage(stage, repo, order, without_tag):
    def ask(found):
        advice = f"salt-run deploy.sync repo={repo} tag=...; see that the master has ext_pillar deploy_pins"
        wanted = _wanted(repo, order, without_tag, advice)
        wires = wanted if isinstance(wanted, list) else [wanted]
        asked = [orders.Order.from_wire({**wire, "stage": stage}) for wire in wires[: orders.MOST_REPOS]]
        tasks = [stages.Task(asked[0], found)]
        tasks += [stages.Task(each, _config(each.release.repo, each.deploy)) for each in asked[1:]]
        answer = stages.run(tasks, _host())
        if asked[0].deploy == "pin" and isinstance(answer.error, errors.NoBase):
            return _from_nothing(answer, tasks[0])
        return answer

    return _answer(repo, ask, _deploy_of(order))


def _deploy_of(order):
    """The deploy that asks; "" where an operator does."""
    first = order[0] if isinstance(order, list) and order else order
    return str(first.get("deploy", "")) if isinstance(first, dict) else ""


def _from_nothing(answer, task):
    """Nothing that this minion holds fits what is pinned, as when it lost its disk: the master has a payload for that."""
    try:
        _ask_the_master(lost=[task.repo.name])
    except errors.DeployError as error:
        log.warning("No other way to %s: %s", task.order.release.tag, error)
        return answer
    known = _ours().get("pins", {}).get(task.repo.name, {}).get("order")
    order = known and orders.Order.from_wire({**known, "stage": task.order.stage})
    if not order or order.release != task.order.release or order.payloads == task.order.payloads:
        return answer
    return stages.run([stages.Task(order, task.repo)], _host())


def _answer(repo, ask, deploy=""):
    """The signed answer of ``ask(configuration)``; every error of ours is an answer too."""
    try:
        answer = ask(_config(repo, deploy))
    except errors.DeployError as error:
        return _refused(repo, error)
    except OSError as error:
        return _refused(repo, os_errors.from_os(error))
    __context__["retcode"] = 0 if answer.ok else 1
    return _signed(answer)


def _refused(repo, error):
    __context__["retcode"] = 1
    host = __opts__["id"]
    answer = Result(host, str(repo), status=error.status, error=error.at(repo=str(repo), host=host))
    return _signed(answer)


def _without_passwords(value):
    """The same, for eyes and job caches."""
    if isinstance(value, dict):
        return {key: _without_passwords(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_passwords(each) for each in value]
    return text.public(value) if isinstance(value, str) else value


def _signed(answer):
    """It counts for the job that asked and for no other: everybody on the bus can play it again."""
    return dataclasses.replace(answer, job=calls.JOB.get()).to_wire(_ours().get("secret", ""))


def _config(repo, deploy=""):
    """The repo's configuration: as the pillar has it; where it has none, as it was when the deploy began, or without a master."""
    try:
        return config.load(_pillar(), str(repo), str(__grains__.get("site", "")))
    except errors.UnknownRepo as error:
        kept = Configurations(Path(__opts__["cachedir"], "deploy"), str(repo))
        found = kept.of_start(deploy) or (kept.last() if _is_alone() else None)
        if found is not None:
            return found
        known = config.repo_names(_pillar())
        better = unknown_in_pillar(error, __opts__["id"], "this minion", known)
        better.next = f"salt '{__opts__['id']}' saltutil.refresh_pillar; {better.next}"
        raise better from None


def _is_alone():
    """Whether there is no master to tell a pillar, as under ``salt-call --local``."""
    return __opts__.get("file_client") == "local"


def _kept():
    return configuration.kept(Path(__opts__["cachedir"], "deploy")) if _is_alone() else []


def _pillar():
    """The pillar as plain data; Salt masks values that are taken by pillar.get."""
    return _plain(__pillar__)


def _plain(pillar):
    """What of a pillar is for us; ``_error`` where the master could not compile it."""
    wanted = {key: pillar.get(key) for key in ("deployment_config", "repo_config", "deploy")}
    if pillar.get("_errors"):
        wanted["_error"] = "; ".join(map(str, pillar["_errors"]))[:1000]
    return json.loads(json.dumps(wanted, default=str))


def _ours():
    return _pillar()["deploy"] or {}


def _send(tag, data):
    if not _is_alone():  # there is no master to hear it, and each try would take seconds
        __salt__["event.send"](tag, data)


def _call(function, arguments, keywords):
    """What a function answers; one that tells Salt that it failed (as ``salt`` shows by its exit status) raises."""
    if function not in __salt__:
        raise salt.exceptions.CommandExecutionError(f"there is no function {function} on this minion")
    __context__["retcode"] = 0
    answer = __salt__[function](*arguments, **keywords)
    if __context__.get("retcode"):
        raise salt.exceptions.CommandExecutionError(f"exit code {__context__['retcode']}: {answer}")
    return answer


def _host():
    functions, opts = __salt__, __opts__
    cache = Path(opts["cachedir"], "deploy")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(cache, 0o700)
    return stages.Host(
        name=opts["id"],
        cache=cache,
        carrier=SaltFiles(
            lambda url, path: functions["cp.get_file"](url, path, saltenv="base"),
            functools.partial(bridge.file_of_master, opts),
        ),
        send=_send,
        call=_call,
        clock=time.time,
        get=client(salt.utils.http.query, __opts__),
        ca_bundle=salt.utils.http.get_ca_bundle(__opts__) or "",
        pins={repo: pinned.get("commit", "") for repo, pinned in _ours().get("pins", {}).items()},
        place=SwarmAccess(Identity.from_wire(_ours().get("swarm")), str(opts.get("master_ip") or "")),
    )
