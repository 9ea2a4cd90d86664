"""
Deploy tagged releases to every target, atomically, from the master.

``salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1`` prepares the release on all targets, waits
until each one is ready, and then switches them. Every deploy ends in one of four words: ``CONVERGED``,
``HELD``, ``ROLLED BACK``, ``MIXED``; the exit status is 0 for the first one only.

A deploy runs in a process of its own: it does not end with the terminal that began it. Ctrl-C stops it as its
pillar says; a second Ctrl-C leaves it running.
"""

import contextlib
import datetime
import functools
import inspect
import logging
import os
import pwd
import sys
import threading
import time
from pathlib import Path

import salt.utils.args
import salt.utils.jid
import salt.version
import saltdeploy

saltdeploy.require("0.2.0")

from saltbridge import asking
from saltbridge.master import open_master, pillar, root, site, store
from saltbridge.master import targets as matching
from saltbridge.quiet import no_unclosed
from saltdeploy import config
from saltdeploy.config.repo import unknown_in_pillar
from saltdeploy.lib import arguments, call_forms, errors, lifetime, os_errors
from saltdeploy.lib import versions as lib_versions
from saltdeploy.lib.forcing import covers
from saltdeploy.lib.spelling import argument
from saltdeploy.master.locking.locks import Locks, is_held
from saltdeploy.master.locking.model import Holder, scope_of
from saltdeploy.master.plan_model import RESTART, SYNC, Request
from saltdeploy.master.records import journal
from saltdeploy.master.records.history import history_of
from saltdeploy.master.reports import results as reports
from saltdeploy.master.rollout.model import CONVERGED
from saltdeploy.master.running import follow as following
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.running.unfinished import question_for
from saltdeploy.protocol import events, orders

log = logging.getLogger(__name__)
__virtualname__ = "deploy"
_OUTPUTTER = "deploy"
#: What reads some files and ends, so that no sync can come in between.
_BRIEF = tuple(f"deploy.{name}" for name in ("overview", "story", "versions", "locks", "answer", "abort"))
_MOST_RECORDS = 2_000  # lines of a log in one result

__func_alias__ = {"log_": "log"}

#: What Salt may call; what is imported here is for us alone.
__load__ = [
    "abort",
    "adopt",
    "answer",
    "changes",
    "checkout",
    "doctor",
    "export",
    "fetch",
    "forget",
    "gc",
    "import_scap",
    "init",
    "lock",
    "locks",
    "log_",
    "maintenance",
    "next_tag",
    "overview",
    "plan",
    "preseed",
    "promote",
    "readmit",
    "report",
    "restart",
    "resume",
    "rollback",
    "services",
    "show",
    "sources",
    "status",
    "stage",
    "story",
    "suspend",
    "suspended",
    "sync",
    "targets",
    "unlock",
    "verify",
    "versions",
    "watch",
]


def __virtual__():
    # a page asks for these all day, and a process of its own answers each time: half a second of a processor
    if lifetime.is_daemon(__opts__) and not lifetime.is_job_of(_BRIEF):
        from saltbridge import peer  # noqa: F401 - see saltdeploy.config.upfront
        from saltdeploy.config import upfront

        upfront.load(upfront.RUNNER)
    return __virtualname__


def _door(function, readers=arguments.ONE_REPO):
    """Read the arguments, catch everything, set the exit status: Salt exits 0 for errors of these kinds."""
    name = f"deploy.{function.__name__.rstrip('_')}"
    call = arguments.Call(f"salt-run {name}", inspect.signature(function), readers)

    def door(*args, **kwargs):
        since = time.monotonic()
        no_unclosed(__opts__)
        kwargs = {key: value for key, value in kwargs.items() if not key.startswith("__")}
        about = {}

        def act():
            known = arguments.typed(__opts__, name, salt.utils.args.parse_input)
            env = (
                "" if "env" in call.signature.parameters else arguments.taken_out("env", kwargs, known, call)
            )
            bound = call.read(*call_forms.as_meant(function.__name__, args, kwargs), known)
            arguments.set_environment(bound, env)
            about["repo"] = arguments.repos(bound.arguments.get("repo"))
            lib_versions.check_salt(salt.version.__version_info__, host=__opts__["id"])
            with asking.asked(__opts__, _said_user(), function.__name__.rstrip("_"), bound.arguments):
                if "detach" in call.signature.parameters and asking.is_peer(__opts__, name):
                    from saltbridge import peer

                    return peer.begin(__opts__, name, bound.arguments)
                return function(*bound.args, **bound.kwargs)

        view = {"retcode": 0, **_view_of(act, about), "outputter": _OUTPUTTER}
        __context__["retcode"] = view["retcode"]
        if call_forms.is_trebuchets(function.__name__, args, kwargs):
            if function.__name__ == "restart" and asking.is_peer(__opts__, name):
                from saltbridge import peer

                return peer.trebuchets_answers(view, __opts__, since)
            view |= {"said": f"{function.__name__.capitalize()} completed"} if _is_converged(view) else {}
        # saltutil.runner has a context of its own: without this a failed deploy would be a minion's success
        return {**view, "success": view["retcode"] == 0}

    # no functools.wraps: Salt must see *args and **kwargs, or it swallows wrong ones before we do
    door.__name__, door.__doc__ = function.__name__, function.__doc__
    return door


def _is_converged(view):
    return view.get("view") == "outcome" and view.get("outcome") == CONVERGED


_door_for_several = functools.partial(_door, readers=arguments.SEVERAL_REPOS)


def _view_of(act, about=None):
    """What ``act`` returns; every error is a view too, and names the repo that ``about`` holds by then."""
    try:
        return act()
    except errors.UnknownRepo as error:
        failed = unknown_in_pillar(error, __opts__["id"], "this master", config.repo_names(pillar(__opts__)))
    except errors.DeployError as error:
        failed = error
    except OSError as error:
        failed = os_errors.from_os(error)
    except saltdeploy.PackageReplaced as error:
        failed = errors.DeployError(error.cause, next=error.next)
    except Exception as error:  # anything else would exit 0, or print a bare traceback
        log.exception("deploy failed for a reason that nobody foresaw")
        failed = errors.DeployError(f"{type(error).__name__}: {error}")
    return reports.of_error(failed.at(**(about or {})))


@_door_for_several
def sync(repo, tag="", force=False, limit="", reason="", interactive=False, wait=0, plan="", detach=False,
         transport="", unattended=False, failure_limit="", batch="", on_failure="", on_inconclusive="", hold="",
         commit="", branch=""):  # fmt: skip
    """
    Take a release to every target: fetch everywhere, wait until all are ready, switch group by group.

    repo
        Name of the repo, a key of ``repo_config`` in the pillar. Several names (``a,b``), or names with a tag for each
        (``{a: v1, b: v7}``), are deployed as one: one barrier, one switch of each host, and one way back. The first
        one leads: its groups, limits and policies count.
    tag
        The git tag to deploy. Without any of tag, commit and branch: what is staged on this host and not deployed, by the tag
        that ``git deploy sync`` has written down, or that the commit has, or gets by ``tag_scheme``.
    force
        Go past guards, by their names: ``max_removed``, or several: ``max_removed,freeze``. Those that can be named:
        ``freeze``, ``lock`` (by hand), ``targets`` (one of the last deploy that is no longer matched), ``transport``,
        ``bad_release``, ``submodules``, ``empty_release``, ``max_removed``. ``True`` goes past all of these, and not past
        ``epoch``: hosts that have seen a newer deploy, of another master or of a clock that was ahead, follow this one.
        It is recorded in the history.
    limit
        A compound target expression or the name of a group: only those of the targets. The rest keeps its pin.
    reason
        What this is about, for the history.
    interactive
        Ask at the barrier, as Trebuchet did: ``Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry):``
    wait
        Seconds to wait for the lock when somebody else deploys.
    plan
        The hash that ``deploy.plan`` printed: refuse if anything is different now.
    detach
        Return the deploy's id at once; ``deploy.watch id=...`` follows it.
    transport
        How the release travels this time, instead of what the pillar says.
    unattended
        Nobody is there to answer, as in CI: each question (``hold: ask``, ``on_failure: ask``) gets its default at
        once. Without it a question waits for ``deploy.answer``, as long as ``question_timeout`` in the pillar says.
    failure_limit, batch, on_failure, on_inconclusive, hold
        For this deploy alone, what the pillar's keys of these names say for all: how many hosts of a group may fail,
        how many switch at once, what follows when too many fail or that cannot be told, and what happens behind each group (``ask``, seconds,
        or 0). It counts for every group, also for one that has its own, and is recorded in the history.
    commit, branch
        In place of a tag: the id of a commit, in full or so much of it as is unambiguous, or a branch: the commit that it
        names now. The source is asked once, and the commit gets a tag on this master by ``tag_scheme``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1
        salt-run deploy.sync repo=mediawiki
        salt-run deploy.sync repo=mediawiki branch=main
        salt-run deploy.sync repo='{mediawiki: release/2026-11-23/1, l10n: release/2026-11-22/4}'
    """
    if not (tag or commit or branch) and len(repo) == 1 and not repo[0][1]:
        found = _unreleased("sync", repo[0][0])
        if found.is_deployed:
            return found.view
        tag, commit = found.tag, "" if found.tag else found.commit
    wish = _wish(
        SYNC,
        repo,
        tag,
        force=force,
        limit=limit,
        reason=reason,
        interactive=interactive,
        plan=plan,
        wait=wait,
        transport=transport,
        unattended=unattended,
        commit=commit,
        branch=branch,
        overrides=_overrides(
            failure_limit=failure_limit,
            batch=batch,
            on_failure=on_failure,
            on_inconclusive=on_inconclusive,
            hold=hold,
        ),  # fmt: skip
    )
    return _deploy(wish, detach, interactive)


@_door
def plan(repo, tag="", force=False, limit="", transport="", failure_limit="", batch="", on_failure="",
         on_inconclusive="", hold="", commit="", branch=""):  # fmt: skip
    """
    Tell what ``deploy.sync`` would do, and change nothing: groups, files and bytes for each host, restarts, checks,
    and the guards that would refuse it. Non-zero exit status when one would.

    repo, tag, force, limit, transport, failure_limit, batch, on_failure, on_inconclusive, hold, commit, branch
        See ``deploy.sync``. No tag is made for a commit, a branch, or what is staged: it tells how that would be called.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.plan repo=mediawiki tag=release/2026-11-23/1
    """
    once = _overrides(failure_limit=failure_limit, batch=batch, on_failure=on_failure,
                      on_inconclusive=on_inconclusive, hold=hold)  # fmt: skip
    if not (tag or commit or branch):
        found = _unreleased("plan", repo)
        if found.is_deployed:
            return found.view
        tag, commit = found.tag, "" if found.tag else found.commit
    wish = Request(SYNC, repo, tag, force=force, limit=limit, transport=transport, overrides=once,
                   commit=commit, branch=branch)  # fmt: skip
    from saltdeploy.master.planning import preview

    with open_master(__opts__, _user()) as master:
        return preview.preview(wish, pillar(__opts__), site(__opts__), master)


@_door
def promote(repo, env, to, force=False, limit="", reason="", detach=False, unattended=False):
    """
    Deploy in one environment of a repo exactly what another one runs: the same commit, if every host there runs it, its
    deploy converged, it is not marked as bad, and it has run as long as ``promote_after`` of the pillar says.

    repo
        Name of the repo, without an environment.
    env
        The environment that runs it.
    to
        The environment that takes it.
    force, limit, reason, detach, unattended
        See ``deploy.sync``: of the deploy in the environment that takes it.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.promote repo=site env=staging to=production
    """
    from saltdeploy.master.planning import promotion

    first, other = (_config(f"{repo}@{name}") for name in (env, to))
    asking.may("promote", (other.name,), {"force": force})
    with open_master(__opts__, _user()) as master:
        found = promotion.find(first, other, master)
    why = reason or f"promoted from {env}"
    repos = ((other.name, found.tag),)
    more = {"limit": limit, "reason": why, "unattended": unattended, "commit": found.commit}
    return _deploy(_wish(SYNC, repos, "", force=force, **more), detach)


@_door_for_several
def fetch(repo, tag="", force=False, limit="", reason="", detach=False, transport="", unattended=False,
          commit="", branch=""):  # fmt: skip
    """
    Bring a release to every target's disk, whole and verified. What users see does not change.

    repo, tag, force, limit, reason, detach, transport, unattended, commit, branch
        See ``deploy.sync``. Without any of tag, commit and branch: the tag that ``git deploy sync`` has written down in
        the staging repository.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.fetch repo=mediawiki tag=release/2026-11-23/1
        salt-run deploy.fetch mediawiki
    """
    wish = _wish(orders.FETCH, repo, tag, force=force, limit=limit, reason=reason,
                 transport=transport, unattended=unattended, commit=commit, branch=branch)  # fmt: skip
    return _deploy(wish, detach)


@_door
def preseed(repo, tag, targets=False):
    """
    Pack a release and bring it to the fanouts, so that a later deploy finds it near. Takes no lock, touches no
    release, and may be repeated; made for a CI job that runs after each merge.

    repo
        Name of the repo.
    tag
        The git tag.
    targets
        Bring it to the targets' own disks too.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.preseed repo=mediawiki tag=release/2026-11-23/1
    """
    from saltdeploy.master.upkeep import preseed as master_preseed

    found = _config(repo)
    deploy = str(globals().get("__jid__") or salt.utils.jid.gen_jid(__opts__))
    with open_master(__opts__, _user()) as master:
        return master_preseed.preseed(found, tag, deploy, master, targets=targets, tell=_tell)


@_door_for_several
def checkout(repo, tag="", force=False, limit="", reason="", detach=False, unattended=False):
    """
    Switch every target to a release that all of them have fetched before.

    repo, tag, force, limit, reason, detach, unattended
        See ``deploy.fetch``. As Trebuchet's users have it, ``True`` or ``False`` behind the repo is ``force``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.checkout repo=mediawiki tag=release/2026-11-23/1
        salt-run deploy.checkout mediawiki,False
    """
    more = {"limit": limit, "reason": reason, "unattended": unattended}
    wish = _wish(orders.CHECKOUT, repo, tag, force=force, **more)
    return _deploy(wish, detach)


@_door_for_several
def rollback(repo, to="", force=False, limit="", reason="", detach=False, unattended=False,
             batch=""):  # fmt: skip
    """
    Switch every target back to an earlier release. Needs neither git nor network where it is still on disk.

    repo
        Name of the repo, or of several as for ``deploy.sync``.
    to
        A tag that was accepted before, or that every host holds. Without it: the release that was accepted before the
        present one; at a terminal the releases are offered that are on disk, and an empty line means that one. It is
        refused where every host runs it already.
    force, limit, reason, detach, unattended
        See ``deploy.sync``.
    batch
        How many hosts switch back at once, this time: in place of ``rollback_batch`` in the pillar.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.rollback repo=mediawiki
    """
    if not to and len(repo) == 1 and not repo[0][1] and not (detach or unattended) and _is_at_a_terminal():
        to = _chosen_way_back(repo[0][0])
    more = {"limit": limit, "reason": reason, "unattended": unattended, "overrides": _overrides(batch=batch)}
    wish = _wish(orders.ROLLBACK, repo, to, force=force, **more)
    return _deploy(wish, detach)


@_door_for_several
def restart(repo, batch="", force=False, limit="", reason="", wait=0, detach=False):
    """
    Restart what runs on every target, group by group as in a checkout, with the same hooks, waits and checks.

    A host that does not run what is pinned is brought there on the way. Too many failures stop it.

    repo
        Name of the repo, or of several as for ``deploy.sync``.
    batch, force, limit, reason, wait, detach
        See ``deploy.sync``. As Trebuchet's users have it, what stands behind the repo is the batch.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.restart repo=mediawiki reason="new certificates"
        salt-run deploy.restart mediawiki,10%
    """
    more = {"limit": limit, "reason": reason, "wait": wait, "overrides": _overrides(batch=batch)}
    return _deploy(_wish(RESTART, repo, "", force=force, **more), detach)


@_door
def services(verb, repo, batch="", limit=""):
    """
    Start, stop, restart or reload the services of a repo on every target, group by group, so many hosts at once. No
    switch, no hooks, no checks: ``deploy.restart`` has those. Where more hosts of a group fail than ``failure_limit``
    allows, no further host is asked. Non-zero exit status unless all did so.

    verb
        ``start``, ``stop``, ``restart`` or ``reload``. Services are stopped in the reverse of their order.
    repo
        Name of the repo.
    batch, limit
        See ``deploy.sync``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.services stop repo=mediawiki limit=canary
        salt-run deploy.services reload repo=mediawiki batch=10%
    """
    from saltdeploy.master.upkeep import servicing

    found = _config(repo)
    with open_master(__opts__, _user()) as master:
        return servicing.services(found, verb, master, batch=str(batch), limit=limit, tell=_tell)


@_door
def maintenance(repo, on, reason="", limit=""):
    """
    Put every target under the maintenance that the pillar describes, or end it. What an operator begins so is ended by no
    deploy; ``deploy.report`` shows it.

    repo
        Name of the repo.
    on
        Whether it begins.
    reason
        Why.
    limit
        See ``deploy.sync``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.maintenance repo=mediawiki on=True reason='the database moves'
        salt-run deploy.maintenance repo=mediawiki on=False
    """
    from saltdeploy.master.upkeep import servicing

    found, who = _config(repo), _user()
    why = (reason or "an operator said so") + (f" ({who})" if who else "")
    with open_master(__opts__, who) as master:
        return servicing.maintenance(found, master, on=on, why=why, limit=limit, tell=_tell)


@_door
def suspend(host, reason, repo="", hours=24, until=""):
    """
    Leave a host out of deploys until a moment: it keeps what it runs. Plan, report and outcome say so each time.

    host
        The minion's id.
    reason
        Why; shown to everybody.
    repo
        Only of this repo.
    hours
        So long from now, at most 90 days.
    until
        In place of ``hours``: a moment, such as ``2026-11-30T18:00``, on the master's clock.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.suspend web9 reason='its disk is being replaced' hours=48
    """
    from saltdeploy.master.fleet.suspended import Suspension, Suspensions

    now = time.time()
    end = _moment(until, host) if until else now + hours * 3600
    if repo:
        _config(repo)
    known = Suspensions(root(__opts__))
    known.add(Suspension(host, repo, reason, _user(), now, end))
    return {"view": "suspended", "hosts": [each.to_wire() for each in known.at(now).values()]}


@_door
def readmit(host, repo=""):
    """
    End the suspension of a host: it takes part in the next deploy. It is brought to no release by this.

    host, repo
        As for ``deploy.suspend``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.readmit web9
    """
    from saltdeploy.master.fleet.suspended import Suspensions

    ended = Suspensions(root(__opts__)).end(host, repo, time.time())
    return {"view": "suspended", "hosts": [], "ended": ended.to_wire()}


@_door
def suspended():
    """
    The hosts that deploys leave out, until when, and why.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.suspended
    """
    from saltdeploy.master.fleet.suspended import Suspensions

    known = Suspensions(root(__opts__)).at(time.time())
    return {"view": "suspended", "hosts": [each.to_wire() for each in known.values()]}


@_door
def resume(repo="", id="", detach=False):  # noqa: A002 - the word that operators type
    """
    Resume a deploy whose process has died: every host is asked what it has done, and nothing is done twice.

    repo
        Name of the repo: its newest deploy.
    id
        The deploy's id.
    detach
        See ``deploy.sync``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.resume repo=mediawiki
    """
    name, deploy = _find(repo, id)
    asking.may("resume", (name,))

    def go_on(watchers, aborted):
        deploys = _deploys()
        log.info("deploy %s of %s is resumed by %s", deploy, name, _user() or "somebody")
        with open_master(__opts__, _user(), watchers, aborted, asking.role()) as master:
            return reports.of_deploy(deploys.resume(deploy, pillar(__opts__), site(__opts__), master))

    begun = next(journal.replay(journal.Journals(root(__opts__)).path(name, deploy)), None)
    sign = begun or events.preparing(deploy, name, time.time(), action="resume", tag="", user=_user())
    return _in_background(go_on, name, deploy, sign, detach)


@_door
def abort(repo="", id="", reason=""):  # noqa: A002
    """
    Stop a running deploy: no further host starts, those under way end, and then what its pillar says of ``on_abort``.

    repo
        Name of the repo.
    id
        The deploy's id; without it the newest one of the repo.
    reason
        Why, for the history.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.abort repo=mediawiki
    """
    name, deploy = _find_running(repo, id)
    asking.may("abort", (name,))
    if not is_held(root(__opts__), name):
        raise errors.NoSuchDeploy(
            f"deploy {deploy} does not run", repo=name, next=f"salt-run deploy.report repo={name}"
        )
    first = OperatorSignals(root(__opts__), name, deploy).abort(_user(), reason or "deploy.abort")
    return {"view": "told", "repo": name, "deploy": deploy, "what": "abort", "counted": first}


@_door
def answer(choice, repo="", id="", key=""):  # noqa: A002
    """
    Answer the question that a deploy waits with. Of several answers the first one counts.

    choice
        One of the choices that the question names.
    repo, id
        Which deploy, as for ``deploy.abort``.
    key
        Which question; without it the one that is open.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.answer yes repo=mediawiki
    """
    name, deploy = _find(repo, id)
    asking.may("answer", (name,))
    question = question_for(choice, key, journal.Journals(root(__opts__)).path(name, deploy), name, deploy)
    first = OperatorSignals(root(__opts__), name, deploy).answer(question.key, _user(), choice)
    return {
        "view": "told",
        "repo": name,
        "deploy": deploy,
        "what": choice,
        "counted": first,
        "retcode": 0 if first else 1,
    }


@_door
def lock(repo="", reason="", group="", hours=0):
    """
    Let nobody deploy until it is unlocked. A deploy that runs already goes on.

    repo
        Name of the repo; without it everything is locked.
    reason
        Why; shown to everybody who is refused.
    group
        Only this group of the repo.
    hours
        The lock ends by itself after so many hours; 0: it does not.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.lock repo=mediawiki reason="database migration"
    """
    until = time.time() + hours * 3600 if hours else None
    holder = Holder.here(_user(), reason=reason)
    locks = _locks()
    taken = locks.lock(scope_of(repo, group), reason, holder, until)
    running = [each.to_wire() for each in locks.running(scope_of(repo))]
    return {"view": "locks", "locks": [taken.to_wire()], "running": running}


@_door
def unlock(repo="", group="", force=False, reason=""):
    """
    Remove a lock.

    repo, group
        What is locked, as for ``deploy.lock``.
    force
        Also if it is somebody else's; needs a reason.
    reason
        Why; recorded.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.unlock repo=mediawiki
    """
    holder = Holder.here(_user(), reason=reason)
    gone = _locks().unlock(scope_of(repo, group), holder, covers(force, "lock"), reason)
    return {"view": "locks", "locks": [], "removed": gone.to_wire()}


@_door
def locks():
    """
    Who holds what: locks by hand, and deploys that run.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.locks
    """
    found = _locks()
    return {
        "view": "locks",
        "locks": [each.to_wire() for each in found.all()],
        "running": [each.to_wire() for each in found.running()],
    }


@_door
def gc(repo="", test=False):
    """
    Free what nobody needs any more: payloads, exports, mirrors and the journals of old deploys here, releases and
    payloads on targets and fanouts. It takes no lock; hosts leave out repos of which a stage runs. Where the pillar of a repo cannot be read, only what is
    another repo's own is freed.

    repo
        Name of the repo: only its targets, and only what is its own there; of this master only its journals.
    test
        Change nothing; tell what would be freed, and of which repos how many journals would go.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.gc test=True
    """
    from saltbridge.journal_readers import journal_readers
    from saltdeploy.master.upkeep import gc as master_gc

    known = pillar(__opts__)
    found, unreadable = ([_config(repo)], {}) if repo else config.load_all(known, site(__opts__))
    with open_master(__opts__, _user()) as master:
        return master_gc.collect(
            found, master, whole=not repo, test=test, unreadable=unreadable, readers=journal_readers(known)
        )


@_door
def import_scap(directory, environment="", host="", write=False, pillar_file="", config_file=""):
    """
    Read what scap deploys a repository by (``scap/scap.cfg``, its environments, files of targets, ``checks.yaml``), and
    print the pillar that does the same, with each key that could not be carried over and why.

    directory
        The repository on the deployment server, in which ``scap/scap.cfg`` lies.
    environment
        Which of ``scap/environments``. Without it: what ``scap.cfg`` names, or none.
    host
        The full name of the deployment server, which chooses sections of ``scap.cfg``. Without it: this host's.
    write
        Write the pillar into ``pillar_file``. A file that is there already is never changed: then the pillar is printed,
        to be added by hand, and the exit status is 1.
    pillar_file
        Without it: ``deploy-<repo>.sls`` in the first directory of the pillar.
    config_file
        What counts for all repos of this server. Without it: ``/etc/scap.cfg``, if that is there.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.import_scap /srv/deployment/mathoid/deploy environment=production
        salt-run deploy.import_scap /srv/deployment/mathoid/deploy write=True
    """
    from saltbridge.setup import settings
    from saltdeploy.master.upkeep import scap_import

    wish = scap_import.ScapWish(directory, environment, host, write, pillar_file, config_file)
    return scap_import.carry_over(wish, settings(__opts__))


@_door
def init(repo, source, location="", write=False, config_file="", pillar_file="", top_file=""):
    """
    Print the pieces of YAML with which a repo begins: the master's configuration, the pillar, the pillar's top file;
    and the commands that follow. What is configured already is said, and left out.

    repo
        Name of the repo: a key of ``repo_config``, and what targets have in their grain ``deployment_target``.
    source
        The git repository that the master reads tags from: a path on the master, or a URL. It is looked at.
    location
        The live path on targets. Without it: the repo's name below ``/srv/deployment``.
    write
        Write each piece into the file that it names. A file that is there already is never changed: then its piece is
        printed, to be added by hand, and the exit status is 1.
    config_file, pillar_file, top_file
        Paths of the files, in place of the usual ones: ``deploy.conf`` among the master's further configuration files,
        and ``deploy.sls`` and ``top.sls`` in the first directory of the pillar.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.init repo=mediawiki source=/srv/repositories/mediawiki location=/srv/www/mediawiki write=True
    """
    from saltbridge.setup import settings
    from saltdeploy.master.upkeep import beginning

    wish = beginning.Wish(repo, source, location, write, config_file, pillar_file, top_file)
    return beginning.begin(wish, settings(__opts__), pillar(__opts__))


@_door
def doctor(repo=""):
    """
    Look through everything that a deploy needs: master, minions, pillar, ext_pillar, file server, clocks, versions,
    programs, rights, disks. A line for each thing that is wrong, with the command that mends it. Non-zero exit status
    when anything is. Changes nothing.

    repo
        Name of the repo, and its targets. Without it: every repo of the pillar.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.doctor repo=mediawiki
    """
    from saltbridge.setup import settings
    from saltdeploy.master.doctor import examine

    return examine(
        repo,
        settings(__opts__),
        lambda: pillar(__opts__),
        lambda: site(__opts__),
        lambda: open_master(__opts__, _user()),
    )


@_door
def forget(host):
    """
    Take a host that is gone for good out of redis: out of ``n/m minions``, of every repo. It comes back when it is
    deployed to again. Where redis is away, it is forgotten as soon as that is back and filled.

    host
        The minion's id.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.forget host=web7.example.org
    """
    from saltdeploy.config.redis import redis
    from saltdeploy.master.records.forgotten import ForgottenHosts
    from saltdeploy.watch.redis_server import RedisServer, RedisSettings

    ForgottenHosts(root(__opts__)).add(host, time.time())
    section = redis(pillar(__opts__))
    settings = RedisSettings(**section) if section else None
    if settings:
        with contextlib.closing(RedisServer(settings)) as server:
            server.forget(host)
    return {"view": "forgotten", "host": host, "redis": settings.place if settings else ""}


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
    found = _config(repo)
    with open_master(__opts__) as master:
        return reports.of_fleet(found, master)


@_door
def status(repo=""):
    """
    Who runs what, a line for each host, the verdict first. ``deploy.report`` tells the same as a table. Non-zero exit
    status unless every target runs what is pinned.

    repo
        Name of the repo; without it every repo of the pillar.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.status repo=mediawiki
        salt-run deploy.status | grep -v ^ok
    """
    names = [repo] if repo else config.repo_names(pillar(__opts__))
    with open_master(__opts__) as master:
        told = [{**reports.of_fleet(_config(name), master), "view": "status"} for name in names]
    if repo:
        return told[0]
    return {"view": "statuses", "repos": told, "retcode": max((each["retcode"] for each in told), default=0)}


@_door
def verify(repo, full=False, part="", wait=600):
    """
    Let every target compare what is live with the release that it should be; a line for each, the verdict first.
    Non-zero exit status unless all of them answer that nothing differs.

    repo
        Name of the repo.
    full
        Read every byte. Otherwise only files whose size, times or inode changed since they were written.
    part
        Read every byte of this part of the files besides: ``3/10`` is the third of ten. One part a day covers all of
        them, and a path is in the same part on each host and on each day.
    wait
        Seconds to wait for the slowest host.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.verify repo=mediawiki full=True
        salt-run deploy.verify repo=mediawiki part=3/7
    """
    from saltdeploy.master.reports import verification

    found = _config(repo)
    with open_master(__opts__, _user()) as master:
        return verification.verify(found, master, full=full, part=part, wait=wait)


@_door
def adopt(repo, path="", source="", limit="", wait=600):
    """
    Let the targets take over what is to be shared by all releases, without a deploy: of what is live it moves to where it is
    shared, in one step; from another directory it is copied. What is shared already is never touched. Non-zero exit status
    unless all of them have done so.

    repo
        Name of the repo.
    path
        One path of ``shared`` in the pillar, or several, divided by commas. Without it: all of them.
    source
        A directory on the targets that has them, such as the one that the first deploy moved aside. Without it: what is live.
    limit
        Only those targets: a target expression, or the name of a group.
    wait
        Seconds to wait for the slowest host.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.adopt repo=mediawiki path=LocalSettings.php,images
    """
    from saltdeploy.master.upkeep import adopt as adopting

    found = _config(repo)
    with open_master(__opts__, _user()) as master:
        return adopting.adopt(found, master, path=path, source=source, limit=limit, wait=wait)


@_door
def versions(repo):
    """
    The history of a repo, newest first: tag, commit, who, when, outcome; and where ``deploy.rollback`` leads.

    repo
        Name of the repo.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.versions repo=mediawiki
    """
    found = _config(repo)
    return reports.of_versions(found.name, _history(found.name), root(__opts__))


@_door
def changes(repo, old="", new=""):
    """
    What is between two releases: commits and their authors, files, and what is taken back. No host is asked.

    repo
        Name of the repo.
    old
        A tag. Without it: the release that is pinned; without ``new`` as well, the one that was accepted before that.
    new
        A tag. Without it: the release that is pinned.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.changes repo=mediawiki new=release/2026-11-23/1
        salt-run deploy.changes repo=mediawiki
    """
    from saltdeploy.master.reports import changes as master_changes

    found = _config(repo)
    return master_changes.changes(found, old, new, root(__opts__), _history(found.name))


@_door
def show(repo="", id="", file=""):  # noqa: A002 - the word that operators type
    """
    One deploy, as it went on each host; or the hosts of a repo, by the release that they run.

    ``--out=html`` makes one page of a deploy that needs nothing else, ``--out=svg`` its timeline as a picture.

    repo
        Name of the repo: its hosts by release, as they answer now. Non-zero exit status as for ``deploy.report``.
    id
        The deploy's id: that deploy. Without both: the newest deploy of the repo that is being deployed, or was last.
    file
        A deploy that ``deploy.export`` has written, as for ``deploy.watch``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.show repo=mediawiki
        salt-run deploy.show id=20261123101112000000
        salt-run deploy.show id=20261123101112000000 --out=html > deploy.html
    """
    if repo and not id and not file:
        from saltdeploy.master.reports import releases

        found = _config(repo)
        with open_master(__opts__) as master:
            return releases.by_release(
                reports.of_fleet(found, master), _history(found.name).versions(found.name)
            )
    from saltdeploy.watch.timeline import DeployTimeline

    timeline = DeployTimeline()
    for event in (
        _exported(file) if file else journal.replay(journal.Journals(root(__opts__)).path(*_find(repo, id)))
    ):
        timeline.hear(event)
    return timeline.view()


@_door
def next_tag(repo, scheme="", next=""):  # noqa: A002 - the word that operators type
    """
    How the next release of a repo is called. Makes no tag.

    repo
        Name of the repo.
    scheme
        ``release`` (release/2026-11-23/1), ``semver`` (v1.2.3), ``scap`` (scap/sync/2026-11-23/0001), ``sync``
        (mediawiki-sync-20261123-120000), ``timestamp`` (scap_2026-11-23T12-00-00Z), or one that a package brings.
        Without it: ``tag_scheme`` of the pillar.
    next
        With ``semver``: ``patch``, ``minor`` or ``major``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.next_tag repo=mediawiki
        salt-run deploy.next_tag repo=parsoid scheme=semver next=minor
    """
    from saltdeploy.master.payloads.source import Source
    from saltdeploy.staging import next_tag as staging_next_tag

    found = _config(repo)
    now = datetime.datetime.now().astimezone()
    tags = Source(found, root(__opts__)).tags()
    tag = staging_next_tag.next_tag(found.name, tags, scheme or found.staging.tag_scheme, next, now)
    return {"view": "next_tag", "repo": found.name, "tag": tag}


@_door
def sources(repo, tag="", file=""):
    """
    Tell where a release comes from: each repository that it was composed of, with the commit, and each patch; and where a
    file of it comes from.

    repo
        Name of the repo.
    tag
        The release. Without it: the one that is pinned.
    file
        A path in the release: then its own source, the path there, and the patches that changed it.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.sources repo=mediawiki
        salt-run deploy.sources repo=mediawiki file=extensions/Foo/Foo.php
    """
    from saltdeploy.master.staging import provenance

    return provenance.provenance(_config(repo), root(__opts__), tag, file)


@_door
def stage(repo, directory="", archive="", reason="", force=False):
    """
    Make a release on the master, with a tag of its own: of a plain directory, of an archive, or composed of several
    repositories. Nothing is deployed. Where nothing has changed it says so, and makes nothing.

    repo
        Name of the repo.
    directory
        All that lies in it becomes the release, also what ``.gitignore`` names. Without it and ``archive``: what the
        pillar's ``stage`` says, or the directory that ``source`` names.
    archive
        A tar or a zip that a CI made.
    reason
        Why; it stands in the commit and in the tag.
    force
        ``max_removed``: stage it although it lacks more of what was staged last than ``max_removed`` in the pillar allows.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.stage repo=mediawiki reason='fix the logo'
        salt-run deploy.stage repo=site archive=/srv/builds/site-1842.tar.gz
    """
    from saltdeploy.master.staging import stage as master_stage

    request = master_stage.StageRequest(directory, archive, _user(), reason, force)
    return master_stage.stage(_config(repo), request, root(__opts__), store(__opts__), time.time)


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
    found = _config(repo)
    hosts = matching(__opts__, found.targets.expression, found.targets.type)
    return {
        "view": "targets",
        "repo": found.name,
        "hosts": hosts,
        "expression": found.targets.expression,
        "type": found.targets.type,
        "retcode": 0 if hosts else 1,
    }


@_door
def watch(repo="", id="", deploy="", interactive=False, file="", screen=True):  # noqa: A002
    """
    Replay a deploy and follow it to its end; to be joined at any time, from any terminal of the master.

    On a terminal it is an application: hosts, log and questions on the whole screen, and keys that answer, abort, filter
    and leave. Elsewhere it writes lines.

    repo
        Name of the repo. Without it: the repo that is being deployed, or was last.
    id
        The deploy's id. Without it: the newest one.
    deploy
        The same as ``id``.
    interactive
        Answer the deploy's questions at this terminal, as with ``deploy.sync interactive=True``.
    file
        Replay a deploy that ``deploy.export`` has written, here or elsewhere; ``-`` is the standard input.
    screen
        ``False``: bars below what is told, and the end of the command with the end of the deploy, as ``deploy.sync`` has it.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.watch repo=mediawiki
    """
    if file:
        return _watch_again(file, screen)
    name, found = _find_running(repo, id or deploy)
    asking.may("watch", (name,), {"interactive": interactive})
    if screen and not interactive and _sits_there():
        return _on_screen(name, found)
    return _watch(name, found, interactive=interactive)


@_door
def export(id="", repo="", file=""):  # noqa: A002
    """
    A deploy as one text, which ``deploy.watch``, ``deploy.log`` and ``deploy.show`` replay elsewhere by ``file=``. It
    goes to the standard output; the plan of the deploy is left out.

    id, repo
        Which deploy, as for ``deploy.abort``.
    file
        A new file, for its owner alone. Only for whom this process runs as: it has that user's rights.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.export id=20261123101112000000 > deploy.jsonl
    """
    from saltdeploy.protocol import exports

    if file:
        _only_for_its_user(file)
    name, deploy = _find(repo, id)
    told = journal.replay(journal.Journals(root(__opts__)).path(name, deploy))
    view = {"view": "exported", "repo": name, "deploy": deploy}
    if file:
        return {**view, "file": file, "lines": exports.write(told, Path(file))}
    if lifetime.is_daemon(__opts__) or __opts__.get("output"):
        return {**view, "text": list(exports.lines(told))}
    for line in exports.lines(told):
        print(line)
    return view


def _watch_again(file, screen):
    """An exported deploy, once more on this terminal."""
    from saltdeploy.watch import follow as watch_events

    told = list(_exported(file))
    if screen and _sits_there():
        from saltdeploy.watch.console.screen import Screen

        with contextlib.closing(Screen(sys.stdin, sys.stderr, __opts__["id"])) as shown:
            last = watch_events(told, (shown,))
            shown.stay()
    else:
        with _watcher("") as watchers:
            last = watch_events(told, watchers)
    keys = ("repo", "deploy", "tag", "outcome", "ok", "total", "reason", "next", "also")
    known = {key: last[key] for key in keys if key in last}
    return {"view": "watched", **known, "retcode": 0 if known.get("outcome") == CONVERGED else 1}


def _exported(file):
    """The events of an exported deploy."""
    from saltdeploy.protocol import exports

    if file == "-" and not lifetime.is_daemon(__opts__):
        return exports.read(sys.stdin, "standard input")
    _only_for_its_user(file)
    return exports.read(exports.opened(Path(file)), file)


def _only_for_its_user(file):
    """A file is opened with the rights of this process: never for somebody else, who may have fewer."""
    own = pwd.getpwuid(os.geteuid()).pw_name
    if lifetime.is_daemon(__opts__) or _user() not in ("", own):
        raise errors.NotAllowed(
            f"only {own} may name a file of this host here",
            path=file,
            next="let your shell open it: salt-run deploy.export id=ID > deploy.jsonl; "
            "salt-run deploy.watch file=- < deploy.jsonl",
        )


@_door
def log_(filter="", *, repo="", id="", follow=False, json=False, file=""):  # noqa: A002 - the words that operators type
    """
    The log of a deploy: what each host and the master told, line by line, through a filter.

    filter
        In scap's language: ``attribute operator value``, as often as needed; all must hold. Operators are ``=`` and ``==``
        (globs), ``~`` (a regular expression), ``>``, ``>=``, ``<``, ``<=``. Without ``levelno`` in it, DEBUG is left out.
    repo
        Name of the repo. Without it: the repo that is being deployed, or was last.
    id
        The deploy's id. Without it: the newest one.
    follow
        Go on with what is told later, to the deploy's end.
    json
        One JSON document a line.
    file
        A deploy that ``deploy.export`` has written, as for ``deploy.watch``.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.log 'levelno >= WARNING host == web*' repo=mediawiki
        salt-run deploy.log 'message ~ "no space left"' id=20261123101112000000 json=True
        salt-run deploy.log repo=mediawiki follow=True
    """
    from saltdeploy.watch.console import log_lines
    from saltdeploy.watch.log_filter import LogFilter

    chosen = LogFilter.read(filter)
    told = list(_exported(file)) if file else None
    if told is not None:
        follow, name, deploy = (
            False,
            str(told[0]["repo"]) if told else "",
            str(told[0]["deploy"]) if told else "",
        )
    else:
        name, deploy = (_find_running if follow else _find)(repo, id)
    view = {"view": "log", "repo": name, "deploy": deploy}
    if lifetime.is_daemon(__opts__) or __opts__.get("output"):
        if follow:
            raise errors.BadArguments(
                "follow=True writes lines as they come, and has no result to be formatted",
                repo=name,
                next=f"salt-run deploy.log {argument('repo', name)} id={deploy}",
            )
        kept = log_lines.KeptRecords(chosen, __opts__["id"], _MOST_RECORDS)
        _read(name, deploy, kept, False, told)
        return {**view, "left_off": kept.left_off, "records": kept.records}
    colour = bool(__opts__.get("color")) and sys.stdout.isatty()
    lines = log_lines.LogLines(sys.stdout, chosen, __opts__["id"], colour=colour, as_json=json)
    _tell(f"-- Opening log file: '{file or journal.Journals(root(__opts__)).path(name, deploy)}'")
    _read(name, deploy, lines, follow, told)
    if lines.gone:
        log_lines.let_go(sys.stdout)
    return {**view, "shown": lines.shown, "seen": lines.seen, "records": []}


@_door
def overview(repo=""):
    """
    All repos at one look, for pages and scripts: pinned, under way, the last deploys, and what hosts told last. No host is
    asked.

    repo
        Name of the repo; without it all of them.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.overview --out=json
    """
    from saltdeploy.web import overview as web_overview

    names = [_config(repo).name] if repo else config.repo_names(pillar(__opts__))
    return web_overview.overview(names, root(__opts__), store(__opts__))


@_door
def story(repo, id="", after=0):  # noqa: A002
    """
    The events of a deploy from its journal, in pieces, for pages and scripts.

    repo
        Name of the repo.
    id
        The deploy's id; without it the newest one of the repo.
    after
        How many events are known already: the ``next`` of the piece before.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.story repo=mediawiki after=2000 --out=json
    """
    from saltdeploy.web import story as web_story

    return web_story.story(*_find(repo, id), root(__opts__), after)


# -- deploying ------------------------------------------------------------------------------------------


def _deploy(wish, detach, interactive=False):
    deploy = str(globals().get("__jid__") or salt.utils.jid.gen_jid(__opts__))
    user = _user()

    def run(watchers, aborted):
        deploys = _deploys()
        with open_master(__opts__, user, watchers, aborted, asking.role()) as master:
            done = deploys.run_with_dependencies(wish, pillar(__opts__), site(__opts__), deploy, master)
        return reports.of_deploy(done)

    also = [{"repo": name, "tag": tag} for name, tag in wish.also]
    about = {"action": wish.action, "tag": wish.tag, "user": user, "also": also}
    sign = events.preparing(deploy, wish.repo, time.time(), **about)
    return _in_background(run, wish.repo, deploy, sign, detach, interactive)


def _deploys():
    """The spine of a deploy, loaded with all that it can need to its end: it may take hours, and a sync some seconds."""
    from saltdeploy.config import upfront

    upfront.load(upfront.DEPLOY)
    from saltdeploy.master import deploy

    return deploy


def _in_background(work, repo, deploy, sign, detach, interactive=False):
    """Let a process of its own deploy, and look on; ``sign`` is the event that is shown at once."""
    from saltdeploy.master.running import background
    from saltdeploy.watch import follow as watch_events
    from saltdeploy.watch.console.signals import LookingOn

    if threading.active_count() > 1:  # a reactor or an API: a fork could inherit a lock that nobody frees
        return _view_of(lambda: work((), lambda: ""), {"repo": repo})
    if not detach:
        _look_for_a_multiplexer(repo)
    reader = background.start(
        lambda watchers, aborted: _view_of(lambda: work(watchers, aborted), {"repo": repo}), _log()
    )
    seen = following.SeenEvents(repo, deploy)

    def enough(event):
        seen.hear(event)
        return (detach and seen.begun) or looking.leaves

    def stop():
        with contextlib.suppress(errors.DeployError, OSError):
            for name, which in {(repo, deploy), (seen.repo, seen.deploy)}:
                OperatorSignals(root(__opts__), name, which).abort(_user(), "Ctrl-C")

    with LookingOn(stop) as looking, _watcher(deploy, detach, interactive) as watchers:
        for watcher in watchers:
            watcher.hear(sign)
        view = background.look_on(reader, lambda told: watch_events(told, watchers, enough=enough))
        if view is None and not (looking.leaves or detach):
            view = _follow(seen.repo, seen.deploy, watchers, looking, seen.last)  # it sends nothing more
    if view is None:
        known = {"repo": repo, "stopping": looking.stops} if seen.begun or looking.stops else {}
        return {"view": "detached", "deploy": deploy, **known, "retcode": 0 if detach and seen.begun else 1}
    if looking.stops and view["view"] == "error":  # it was refused, and has not read that it should stop
        OperatorSignals(root(__opts__), repo, deploy).clear()
    return view


def _look_for_a_multiplexer(repo):
    """Where the pillar wants one: who is cut off outside of tmux and screen sees no more what becomes of it.

    The pillar is asked only for a terminal outside of both: that takes a second.
    """
    from saltdeploy.watch.console import terminal

    if terminal.outlives_its_line(sys.stdin):
        return
    from saltdeploy.config import terminals

    wanted = terminals.required(pillar(__opts__))
    said = "this terminal is in no tmux and no screen"
    if wanted == terminals.WARN:
        _tell(f"Warning: {said}. A deploy goes on when the line is cut: salt-run deploy.watch shows it")
    elif wanted:
        raise errors.NotAllowed(
            f"{said}, and the pillar wants one of them",
            repo=repo,
            path=f"deployment_config:{terminals.KEY}",
            next="tmux new-session -s deploy, and the same command there; or add detach=True",
        )


def _watch(repo, deploy, interactive=False):
    from saltdeploy.watch.console.signals import LookingOn

    with LookingOn() as looking, _watcher(deploy, interactive=interactive) as watchers:
        return _follow(repo, deploy, watchers, looking)


def _sits_there():
    """Somebody sits at a terminal that can show a whole screen, and wants to see something."""
    from saltdeploy.watch.console import terminal

    return not __opts__.get("quiet") and terminal.takes_a_screen(sys.stdin, sys.stderr)


def _on_screen(repo, deploy):
    """A deploy on the whole screen, until the person leaves."""
    from saltdeploy.master.running.steering import Steering
    from saltdeploy.watch import follow as watch_events
    from saltdeploy.watch.console import results
    from saltdeploy.watch.console.screen import Screen
    from saltdeploy.watch.console.signals import LookingOn

    steering = Steering(root(__opts__), repo, deploy, _user(), lambda what: asking.may(what, (repo,)))
    with (
        LookingOn() as looking,
        contextlib.closing(Screen(sys.stdin, sys.stderr, __opts__["id"], steering)) as screen,
    ):

        def gone():
            return looking.leaves or screen.left

        told = following.follow(repo, deploy, root(__opts__), screen.pause)
        last = watch_events(
            following.with_groups(told, screen.groups), (screen,), enough=lambda event: gone()
        )
        ended = not gone() or last.get("event") == events.FINISHED
        view = reports.of_watched(repo, deploy, last, root(__opts__)) if ended else {}
        screen.stay(results.render(view) or "", gone)
    if ended:
        return view
    return {"view": "detached", "repo": repo, "deploy": deploy, "stopping": steering.stops, "retcode": 1}


def _follow(repo, deploy, watchers, looking, shown=None):
    """What the journal of a deploy tells, to its end; without what was ``shown`` already, up to this event."""
    from saltdeploy.watch import follow as watch_events

    told = following.follow(repo, deploy, root(__opts__), time.sleep, shown)
    last = watch_events(told, watchers, enough=lambda event: looking.leaves) or shown or {}
    if looking.leaves and last.get("event") != events.FINISHED:
        return {"view": "detached", "repo": repo, "deploy": deploy, "stopping": looking.stops, "retcode": 1}
    return reports.of_watched(repo, deploy, last, root(__opts__))


def _read(repo, deploy, watcher, follow, told=None):
    """Tell a watcher what the journal of a deploy holds, and what is added to it later where that is wanted.

    told: the events, where they come from elsewhere.
    """
    from saltdeploy.watch import follow as watch_events
    from saltdeploy.watch.console.signals import LookingOn

    if told is not None:
        pass
    elif follow:
        told = following.follow(repo, deploy, root(__opts__), time.sleep)
    else:
        told = journal.replay(journal.Journals(root(__opts__)).path(repo, deploy))
    with LookingOn() as looking:
        watch_events(told, (watcher,), enough=lambda event: looking.leaves or getattr(watcher, "gone", False))


@contextlib.contextmanager
def _watcher(deploy, silent=False, interactive=False):
    """The terminal that started us; on stderr, so that the result on stdout stays whole."""
    if silent or __opts__.get("quiet"):
        yield ()
        return
    from saltdeploy.watch.console import terminal
    from saltdeploy.watch.settings import WatchSettings

    # a result on the same screen tells the outcome, and nobody needs it twice
    twice = not __opts__.get("output") and terminal.is_one_screen(sys.stdout, sys.stderr)
    settings = WatchSettings.of_stream(sys.stderr, result_of=deploy if twice else "")
    if interactive:
        watcher = terminal.for_operator(sys.stdin, sys.stderr, _answer_here, settings)
    else:
        watcher = terminal.for_stream(sys.stderr, settings)
    try:
        yield (watcher,)
    finally:
        watcher.close()


def _tell(text):
    """A line on stderr, so that the result on stdout stays whole."""
    if not __opts__.get("quiet"):
        print(text, file=sys.stderr, flush=True)


def _answer_here(question, choice):
    control = OperatorSignals(root(__opts__), question["repo"], question["deploy"])
    return control.answer(question["key"], _user(), choice)


# -- what is asked for ----------------------------------------------------------------------------------


def _find(repo, deploy):
    """The repo and the id of a deploy: a given one, or the newest of a repo, or of the busiest repo."""
    journals = journal.Journals(root(__opts__))
    name = repo or (journals.repo_of(deploy) if deploy else _busiest(journals))
    wanted = deploy or (journals.latest(name) if name else "")
    if name and wanted and journals.path(name, wanted).is_file():
        name = journals.repo_of(wanted)  # of several that are deployed as one, the one that leads
    else:
        raise errors.NoSuchDeploy(
            _why_there_is_none(name, wanted),
            repo=name,
            next=f"salt-run deploy.versions repo={name}" if name else "salt-run deploy.locks",
        )
    return name, wanted


def _why_there_is_none(name, wanted):
    if not wanted:
        return "it was never deployed"
    with contextlib.suppress(errors.DeployError):
        if name and _history(name).tells(name, wanted):
            return f"the journal of deploy {wanted} is gone: deploy.gc deletes old ones (docs/operations.md)"
    return f"there is no deploy {wanted}"


def _find_running(repo, deploy):
    """As :func:`_find`; one that is being prepared and has no journal yet comes first."""
    names = [repo] if repo else config.repo_names(pillar(__opts__))
    return following.being_prepared(root(__opts__), names, deploy) or _find(repo, deploy)


def _busiest(journals):
    """The repo that is being deployed, or was last."""
    names = config.repo_names(pillar(__opts__))
    running = [name for name in names if is_held(root(__opts__), name)]
    return running[0] if running else max(names, key=journals.latest, default="")


def _is_at_a_terminal():
    return (
        not (lifetime.is_daemon(__opts__) or __opts__.get("quiet"))
        and sys.stdin.isatty()
        and sys.stderr.isatty()
    )


def _chosen_way_back(repo):
    """The release that an operator chooses of those that are on disk; "" for the one before, where there is no choice."""
    from saltdeploy.lib.text import utc
    from saltdeploy.master.planning import way_back_offers
    from saltdeploy.watch.console import choose

    offers = way_back_offers.offers(repo, _history(repo).versions(repo), root(__opts__))
    if len(offers) < 2:
        return ""
    rows = []
    for each in offers:
        text = f"{each.hosts}/{each.of} hosts, deployed {utc(each.time)}"
        text += ", the one before" if each.is_before else ""
        rows.append((each.tag, text + (f"; BAD: {each.bad}" if each.bad else "")))
    default = next((each.tag for each in offers if each.is_before), "")
    chosen = choose.choose(sys.stdin, sys.stderr, f"{repo}: on disk, to roll back to:", rows, default)
    if not chosen:
        raise errors.BadArguments(
            "nothing was chosen, and nothing was done",
            repo=repo,
            next=f"salt-run deploy.rollback repo={repo} {argument('to', default or offers[0].tag)}",
        )
    return chosen


def _wish(action, repos, tag, **more):
    revision = more.get("commit") or more.get("branch") or ""
    wanted = [(name, own or tag or ("" if revision else _staged(action, name))) for name, own in repos]
    named = wanted and all(own or revision for _, own in wanted)
    _refuse_no_release(
        action, arguments.repos(repos), named or (wanted and action in (orders.ROLLBACK, RESTART))
    )
    (name, first), *also = wanted
    return Request(action, name, first, also=tuple(also), **more)


def _refuse_no_release(action, repo, named):
    if not named:
        repo = argument("repo", repo or "...")
        raise errors.BadArguments(
            "missing a required argument: 'tag'", next=f"salt-run deploy.{action} {repo} tag=..."
        )


def _staged(action, name):
    """The tag that the staging repository names, for the two stages that Trebuchet asked for by the repo alone."""
    if action not in (orders.FETCH, orders.CHECKOUT) or not name:
        return ""
    from saltdeploy.master.planning import staged

    return staged.tag_of(_config(name), root(__opts__))


def _unreleased(action, name):
    """What is staged on this host and not deployed, of a repo whose release nobody has named."""
    found = _config(name)
    _refuse_no_release(action, name, Path(found.origin.source).is_dir())  # elsewhere nothing is staged
    from saltdeploy.master.planning import unreleased

    return unreleased.newest(found, root(__opts__), _history(found.name), action)


def _overrides(**said):
    """What is said for this deploy alone; "" is nothing, 0 is something."""
    return tuple((key, value) for key, value in said.items() if value != "")


def _moment(text, host):
    try:
        return datetime.datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        raise errors.BadArguments(
            f"{text!r} is no moment", next=f"salt-run deploy.suspend {host} reason=... until=2026-11-30T18:00"
        ) from None


def _config(repo):
    return config.load(pillar(__opts__), repo, site(__opts__))


def _history(repo):
    here = root(__opts__)
    return history_of(repo, here, store(__opts__), running=is_held(here, repo))


def _locks():
    return Locks(root(__opts__), store(__opts__))


def _log():
    return Path(root(__opts__), "deploy.log")


def _user():
    return asking.recorded(_said_user())


def _said_user():
    """Who asks, as Salt says; nothing but Salt sets that."""
    return str(globals().get("__user__") or os.environ.get("SUDO_USER") or "")
