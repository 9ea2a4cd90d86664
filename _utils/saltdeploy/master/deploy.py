"""The spine of the master: one deploy, top to bottom.

First everything is decided, and nothing is asked of any host (:mod:`saltdeploy.master.plan`). What was decided is
written into the journal. Then the deploy takes its course (:mod:`saltdeploy.master.driver`), and what became of it is settled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from saltdeploy import config
from saltdeploy.lib.errors import BadArguments, DamagedFile, DependencyFailed, NoSuchDeploy, Unavailable
from saltdeploy.master import guards, plan, swarm
from saltdeploy.master.checks import Baselines
from saltdeploy.master.context import Master
from saltdeploy.master.driver import Driver
from saltdeploy.master.history import History
from saltdeploy.master.journal import Journal, Journals
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder
from saltdeploy.master.packing import Packing
from saltdeploy.master.pin import Pin, pin_order
from saltdeploy.master.pins import Pins
from saltdeploy.master.plan import offers_of, prepare
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.rollout.model import CONVERGED, MIXED, Outcome
from saltdeploy.master.state import DeployState
from saltdeploy.master.testimony import forgotten
from saltdeploy.master.waves import groups_of
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import CHECKOUT, MOST_REPOS, ROLLBACK

_PAYLOADS_KEPT = 86_400.0  # seconds

Leases = Mapping[str, Lease]


@dataclass(frozen=True)
class Report:
    """How a deploy ended."""

    course: DeployState
    outcome: Outcome
    next: str
    seconds: float


def run(wish: Request, pillar: dict[str, Any], site: str, deploy: str, master: Master) -> Report:
    """Deploy one repo, or several as one.

    Args:
        pillar, site: see :func:`saltdeploy.config.load`.
        deploy: the id of this deploy.

    Raises:
        DeployError: before anything was asked of any host.
    """
    repos = _configured([name for name, _ in wish.parts], pillar, site)
    _tell_preparing(wish, deploy, master)
    for repo in repos:  # the way back is always open
        guards.refuse_frozen(repo, master.bus.now(), force=wish.force or wish.action == ROLLBACK)
    with _locks(repos, deploy, master, wish) as leases:
        epochs = {name: lease.epoch for name, lease in leases.items()}
        warnings: list[str] = []
        script, offers = prepare(wish, repos, deploy, epochs, master, warnings.append)
        names = [repo.name for repo in repos]
        with Journals(master.root).write(names[0], deploy, names[1:]) as journal:
            may_fetch = {} if wish.action == CHECKOUT else offers
            conductor = Driver(DeployState.of(script), repos, leases, master, journal, may_fetch)
            _open(conductor, epochs, warnings, journal, master)
            with _seeding(conductor, repos, may_fetch, master):
                return _finish(conductor, leases, master)


def run_with_dependencies(
    wish: Request, pillar: dict[str, Any], site: str, deploy: str, master: Master
) -> Report:
    """Bring the repos that these need to their pinned releases, each by a deploy of its own; then deploy.

    Raises:
        DependencyFailed: one of them has no pin, or did not converge; these repos are as they were.
    """
    if wish.action == SYNC:
        ours = [name for name, _ in wish.parts]
        needed = dict.fromkeys(name for repo in ours for name in plan.dependencies(pillar, repo, site))
        for name in needed:
            if name not in ours:
                _bring_to_its_pin(name, wish, pillar, site, master)
    return run(wish, pillar, site, deploy, master)


def _bring_to_its_pin(name: str, wish: Request, pillar: dict[str, Any], site: str, master: Master) -> None:
    pin = Pins(master.root).get(name)
    needed = Request(SYNC, name, pin.release.tag, wait=wish.wait) if pin else None
    report = run(needed, pillar, site, master.bus.new_jid(), master) if needed else None
    if report is None or report.outcome.word != CONVERGED:
        raise DependencyFailed(
            f"it needs {name}, which {report.outcome if report else 'was never deployed'}",
            repo=wish.repo,
            next=f"salt-run deploy.report repo={name}; salt-run deploy.sync repo={name} tag=...",
        )


def resume(deploy: str, pillar: dict[str, Any], site: str, master: Master) -> Report:
    """Go on with a deploy whose process has died, from where its journal ends.

    Raises:
        NoSuchDeploy: there is nothing to go on with.
        Locked: its process lives, or another deploy has the lock.
    """
    journals = Journals(master.root)
    name = journals.repo_of(deploy) or _unknown(deploy)
    path = journals.path(name, deploy)
    parts = DeployState.read(path).script.parts  # they never change
    repos = _configured([part.repo for part in parts], pillar, site)
    with _locks(repos, deploy, master, Request(SYNC, name)) as leases:
        course = DeployState.read(path)
        _refuse_to_go_on(course, journals, History(master.store, lambda damage: False))
        with journals.write(name, deploy) as journal:
            offers = {
                part.repo: offers_of(part, repo, master) for part, repo in zip(parts, repos, strict=True)
            }
            conductor = Driver(course, repos, leases, master, journal, offers)
            also = [{"repo": part.repo, "epoch": leases[part.repo].epoch} for part in parts[1:]]
            event = conductor.tell(events.resumed, user=master.user, epoch=leases[name].epoch, also=also)
            for each in events.of_each_repo(event):
                History(master.store).resumed(each)
            with _seeding(conductor, repos, offers, master):
                return _finish(conductor, leases, master)


def _refuse_to_go_on(course: DeployState, journals: Journals, history: History) -> None:
    """Whoever goes on with an old deploy would undo the newer one; the end of one may be damaged in its journal."""
    deploy = course.script.deploy
    for part in course.script.parts:
        newest = journals.latest(part.repo)
        ended = course.ended or history.tells(part.repo, deploy)
        if ended or newest != deploy:
            why = "has ended already" if ended else f"is not the newest: {newest} has begun since"
            raise NoSuchDeploy(
                f"deploy {deploy} {why}", repo=part.repo, next=f"salt-run deploy.versions repo={part.repo}"
            )


def _configured(names: list[str], pillar: dict[str, Any], site: str) -> list[config.Repo]:
    if len(set(names)) < len(names) or len(names) > MOST_REPOS:
        raise BadArguments(f"name each repo once, and at most {MOST_REPOS}", repo=names[0])
    return [config.load(pillar, name, site) for name in names]


@contextlib.contextmanager
def _locks(repos: Sequence[config.Repo], deploy: str, master: Master, wish: Request) -> Iterator[Leases]:
    """Hold all repos; always in the same order, so that nobody waits for one who waits for him."""
    locks = Locks(master.root, master.store, master.bus.now)
    holder = Holder.here(master.user, deploy=deploy, reason=wish.reason)
    with contextlib.ExitStack() as held:
        leases = {}
        for repo in sorted(repos, key=lambda repo: repo.name):
            groups = groups_of(repo, wish.limit)
            lock = locks.hold(repo.name, groups, holder, wait=wish.wait, force=wish.force,
                              waiting=lambda locked: _tell_preparing(wish, deploy, master, f"waits: {locked.cause}"))  # fmt: skip
            leases[repo.name] = held.enter_context(lock)
        yield leases


def _open(
    conductor: Driver, epochs: Mapping[str, int], warnings: Sequence[str], journal: Journal, master: Master
) -> None:
    script = conductor.script
    lead, *others = [part.release for part in script.parts]
    event = conductor.tell(events.started, tag=lead.tag, commit=lead.commit, user=script.user,
                           hosts=len(script.hosts), action=script.action, reason=script.reason,
                           groups=[wave.name for wave in script.waves if wave.name],
                           left_out=len(script.left_out), epoch=epochs[lead.repo],
                           also=[{**each.to_wire(), "epoch": epochs[each.repo]} for each in others])  # fmt: skip
    for text in warnings:
        conductor.tell(events.warned, text=text)
    conductor.tell(events.planned, script=script.to_wire())
    for part in script.parts:
        for way in part.ways:
            if way.why:
                conductor.tell(events.chosen, about=part.repo, transport=way.transport, hosts=len(way.hosts),
                               why=way.why)  # fmt: skip
    journal.sync()
    for each in events.of_each_repo(event):
        History(master.store).started(each)
    for part in script.parts:
        Baselines(master.store).keep(part.release, part.baselines)


def _seeding(
    conductor: Driver, repos: Sequence[config.Repo], offers: Mapping[str, Packing], master: Master
) -> AbstractContextManager[None]:
    def warn(text: str) -> None:
        conductor.tell(events.warned, text=text)

    return swarm.seeding(conductor.script.parts, repos, offers, master, warn)


def _finish(conductor: Driver, leases: Leases, master: Master) -> Report:
    outcome = conductor.run()
    _settle(conductor, leases, outcome, master)
    next_command = _next(conductor, outcome)
    history = History(master.store)
    event = conductor.end(outcome, next_command, _left(conductor, history))
    # when the store is away: the journal has it, and the history is made of journals when it is read
    with contextlib.suppress(Unavailable, DamagedFile):
        for each in events.of_each_repo(event):
            if outcome.accepted:
                history.accepted(each)
            history.finished(each)
    return Report(
        conductor.course, outcome, next_command, round(master.bus.now() - conductor.course.begun, 3)
    )


def _left(conductor: Driver, history: History) -> dict[str, dict[str, str] | None]:
    """Repo to what its fleet ran before, where this master knew nothing of it."""
    with contextlib.suppress(Unavailable, DamagedFile):
        course = conductor.course
        parts = course.script.parts
        return {part.repo: forgotten(course, part, history.versions(part.repo)) for part in parts}
    return {}


def _settle(conductor: Driver, leases: Leases, outcome: Outcome, master: Master) -> None:
    """Write down what the fleet should be running now, and what each host was last seen to hold."""
    pins, seen = Pins(master.root), list(conductor.seen.values())
    for part in conductor.course.script.parts:
        release, epoch = part.release, leases[part.repo].epoch
        answers = [
            each
            for answer in seen
            for each in answer.parts
            if each.repo == part.repo and (each.holdings.held or answer.ok)
        ]
        pins.note(part.repo, answers, master.bus.now())
        if outcome.accepted:
            order = pin_order(conductor.orders[part.repo], epoch)
            pins.put(Pin(order, part.hosts, partial=part.partial, transports=part.transports))
            conductor.tell(events.pinned, about=part.repo, tag=release.tag, commit=release.commit)
            Baselines(master.store).forget(release)
        pins.raise_epoch(part.repo, epoch)
    payloads, older_than = master.payloads, master.bus.now() - _PAYLOADS_KEPT
    with contextlib.suppress(DamagedFile, PermissionError):  # another repo's pins: any payload may be theirs
        payloads.collect(pins.payload_names(), older_than)
    payloads.exports.collect(older_than)


def _next(conductor: Driver, outcome: Outcome) -> str:
    name = conductor.course.script.lead.repo
    if outcome.word == MIXED:
        return f"salt-run deploy.report repo={name}; when the hosts are back: salt-run deploy.sync repo={name} tag=..."
    errors = [host.error for host in conductor.course.hosts.values() if host.error]
    return str(errors[0].get("next", "")) if errors and not outcome.accepted else ""


def _tell_preparing(wish: Request, deploy: str, master: Master, step: str = "") -> None:
    """A first sign of life: until the release is resolved and packed there is nothing for the journal."""
    also = [{"repo": name, "tag": tag} for name, tag in wish.also]
    event = events.preparing(deploy, wish.repo, master.bus.now(), action=wish.action, tag=wish.tag,
                             user=master.user, step=step, also=also)  # fmt: skip
    for watcher in master.watchers:
        with contextlib.suppress(OSError, ValueError):
            watcher.hear(event)


def _unknown(deploy: str) -> str:
    raise NoSuchDeploy(f"there is no journal of deploy {deploy}", next="salt-run deploy.versions repo=...")
