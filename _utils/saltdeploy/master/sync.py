"""The spine of the master: one deploy, top to bottom.

First everything is decided, and nothing is asked of any host: :func:`prepare`. What was decided is written into the
journal. Then the deploy takes its course (:mod:`saltdeploy.master.conduct`), and what became of it is settled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from saltdeploy import config, events
from saltdeploy.errors import DependencyFailed, NoSuchDeploy, Unavailable
from saltdeploy.master import forecast, gates, guards, plan
from saltdeploy.master.baselines import Baselines
from saltdeploy.master.conduct import Conductor
from saltdeploy.master.course import Course
from saltdeploy.master.history import History
from saltdeploy.master.holder import Holder
from saltdeploy.master.instructions import CONVERGED, MIXED, Outcome, Rules
from saltdeploy.master.journal import Journal, Journals, replay
from saltdeploy.master.lease import Lease
from saltdeploy.master.lock import Locks
from saltdeploy.master.offers import Offers
from saltdeploy.master.pins import Pin, Pins, pin_order
from saltdeploy.master.recall import history_of
from saltdeploy.master.script import Script, Wish
from saltdeploy.master.waves import limited, waves
from saltdeploy.master.world import Master
from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.payloads import Payloads
from saltdeploy.release import Release
from saltdeploy.repository import Tag

_PAYLOADS_KEPT = 86_400.0  # seconds
SYNC = "sync"


@dataclass(frozen=True)
class Report:
    """How a deploy ended."""

    course: Course
    outcome: Outcome
    next: str
    seconds: float


def run(wish: Wish, pillar: dict[str, Any], site: str, deploy: str, master: Master) -> Report:
    """Deploy.

    Args:
        pillar, site: see :func:`saltdeploy.config.load`.
        deploy: the id of this deploy.

    Raises:
        DeployError: before anything was asked of any host.
    """
    repo = config.load(pillar, wish.repo, site)
    _tell_preparing(wish, deploy, master)
    # the way back is always open
    guards.refuse_frozen(repo, master.bus.now(), force=wish.force or wish.action == ROLLBACK)
    with _lock(repo, deploy, master, wish) as lease:
        script, offers = prepare(wish, repo, deploy, lease.epoch, master)
        with Journals(master.root).write(repo.name, deploy) as journal:
            may_fetch = None if wish.action == CHECKOUT else offers
            conductor = Conductor(Course.of(script), repo, lease, master, journal, may_fetch)
            _open(conductor, script, journal, master)
            return _finish(conductor, lease, master)


def run_with_dependencies(
    wish: Wish, pillar: dict[str, Any], site: str, deploy: str, master: Master
) -> Report:
    """Bring the repos that this one needs to their pinned releases, each by a deploy of its own; then deploy.

    Raises:
        DependencyFailed: one of them has no pin, or did not converge; this repo is as it was.
    """
    if wish.action == SYNC:
        for name in plan.dependencies(pillar, wish.repo, site):
            pin = Pins(master.root).get(name)
            needed = Wish(SYNC, name, pin.release.tag, wait=wish.wait) if pin else None
            report = run(needed, pillar, site, master.bus.new_jid(), master) if needed else None
            if report is None or report.outcome.word != CONVERGED:
                raise DependencyFailed(
                    f"it needs {name}, which {report.outcome if report else 'was never deployed'}",
                    repo=wish.repo,
                    next=f"salt-run deploy.report repo={name}; salt-run deploy.sync repo={name} tag=...",
                )
    return run(wish, pillar, site, deploy, master)


def resume(deploy: str, pillar: dict[str, Any], site: str, master: Master) -> Report:
    """Go on with a deploy whose process has died, from where its journal ends.

    Raises:
        NoSuchDeploy: there is nothing to go on with.
        Locked: its process lives, or another deploy has the lock.
    """
    journals = Journals(master.root)
    repo = config.load(pillar, journals.repo_of(deploy) or _unknown(deploy), site)
    wish = Wish(SYNC, repo.name)
    with _lock(repo, deploy, master, wish) as lease:
        course = Course.replayed(replay(journals.path(repo.name, deploy)))
        newest = journals.latest(repo.name)
        if course.ended or newest != deploy:  # who goes on with an old one would undo the newer
            why = "has ended already" if course.ended else f"is not the newest: {newest} has begun since"
            raise NoSuchDeploy(
                f"deploy {deploy} {why}", repo=repo.name, next=f"salt-run deploy.versions repo={repo.name}"
            )
        with journals.write(repo.name, deploy) as journal:
            conductor = Conductor(course, repo, lease, master, journal, _offers(course.script, repo, master))
            conductor.tell(events.resumed, user=master.user, epoch=lease.epoch)
            return _finish(conductor, lease, master)


def prepare(wish: Wish, repo: config.Repo, deploy: str, epoch: int, master: Master) -> tuple[Script, Offers]:
    """Decide everything: which release, for whom, in what order, with which payloads."""
    history = _remembered(repo, master)
    pins = Pins(master.root)
    pin = pins.get(repo.name)
    everybody = master.targets(repo.targets, repo.targets_type)
    plan.refuse_bad_targets(repo, everybody, pin, set(master.accepted()), force=wish.force)
    hosts = limited(repo, everybody, wish.limit, master.targets)
    source, tag, release = _resolve(wish, repo, history, master)
    plan.refuse_bad(release, history, force=wish.force or wish.action == ROLLBACK)
    if source is not None:
        guards.refuse_dangerous(repo, source, tag, pin.release.commit if pin else "", force=wish.force)
    groups = waves(repo, hosts, lambda group: master.targets(group.targets, group.targets_type))
    if wish.plan:
        forecast.refuse_moved(wish.plan, repo, release, groups, master)
    order = Order(deploy, epoch, FETCH, release, repo.transport)
    offers = Offers(
        order, tag, repo, Payloads(master.root / "payloads"), lambda: source or _source(repo, master)
    )
    known = pins.holdings(repo.name)
    if wish.action != CHECKOUT:
        offers.pack(known[host] for host in hosts if host in known)
    script = Script(
        action=wish.action,
        user=master.user,
        reason=wish.reason,
        order=offers.order,
        waves=groups,
        rules=Rules(
            on_failure="ask" if wish.interactive else repo.on_failure,
            on_abort=repo.on_abort,
            fetch_only=wish.action == FETCH,
            confirm=wish.interactive,
            gates=gates.gates(repo, groups),
            pinned=pin is not None and pin.release == release,
        ),
        previous=pin.release.tag if pin else "",
        left_out=tuple(host for host in everybody if host not in set(hosts)),
        timeout=float(repo.timeout),
        question_timeout=repo.question_timeout,
        baselines=gates.measure(repo, master.place, Baselines(master.store).of(release)),
    )
    return script, offers


def _remembered(repo: config.Repo, master: Master) -> History:
    """The history; our own lock is held, so the newest journal is that of a deploy that is over."""
    return history_of(repo.name, master.root, master.store, running=False)


def _resolve(
    wish: Wish, repo: config.Repo, history: History, master: Master
) -> tuple[plan.Source | None, Tag, Release]:
    """The release; from the history alone for a rollback, which works while git does not."""
    if wish.action == ROLLBACK:
        release = plan.rollback_release(repo.name, wish.tag, history)
        return None, Tag(release.tag, release.commit, release.commit), release
    source = _source(repo, master)
    tag = source.tag(wish.tag)
    release = Release(repo.name, tag.name, tag.commit)
    plan.refuse_moved(release, history)
    return source, tag, release


def _source(repo: config.Repo, master: Master) -> plan.Source:
    return plan.Source(repo, master.root)


def _offers(script: Script, repo: config.Repo, master: Master) -> Offers:
    release = script.order.release
    tag = Tag(release.tag, release.commit, release.commit)
    return Offers(script.order, tag, repo, Payloads(master.root / "payloads"), lambda: _source(repo, master))


@contextlib.contextmanager
def _lock(repo: config.Repo, deploy: str, master: Master, wish: Wish) -> Iterator[Lease]:
    locks = Locks(master.root, master.store, master.bus.now)
    holder = Holder.here(master.user, deploy=deploy, reason=wish.reason)
    names = [group.name for group in repo.groups]
    groups = [wish.limit] if wish.limit in names else names
    with locks.hold(repo.name, groups, holder, wait=wish.wait, force=wish.force) as lease:
        yield lease


def _open(conductor: Conductor, script: Script, journal: Journal, master: Master) -> None:
    release = script.order.release
    event = conductor.tell(events.started, tag=release.tag, commit=release.commit, user=script.user,
                           hosts=len(script.hosts), action=script.action, reason=script.reason,
                           groups=[wave.name for wave in script.waves if wave.name],
                           left_out=len(script.left_out))  # fmt: skip
    conductor.tell(events.planned, script=script.to_wire())
    journal.sync()
    History(master.store).started(event)
    Baselines(master.store).keep(release, script.baselines)


def _finish(conductor: Conductor, lease: Lease, master: Master) -> Report:
    outcome = conductor.run()
    _settle(conductor, lease, outcome, master)
    next_command = _next(conductor, outcome)
    event = conductor.end(outcome, next_command)
    with contextlib.suppress(
        Unavailable
    ):  # the journal has it, and the history is made of journals when it is read
        History(master.store).finished(event)
    return Report(
        conductor.course, outcome, next_command, round(master.bus.now() - conductor.course.begun, 3)
    )


def _settle(conductor: Conductor, lease: Lease, outcome: Outcome, master: Master) -> None:
    """Write down what the fleet should be running now, and what each host was last seen to hold."""
    script, pins = conductor.course.script, Pins(master.root)
    release = script.order.release
    seen = [result for result in conductor.seen.values() if result.holdings.held or result.ok]
    pins.note(release.repo, seen, master.bus.now())
    if outcome.accepted:
        pins.put(Pin(pin_order(conductor.order, lease.epoch), script.hosts, partial=bool(script.left_out)))
        conductor.tell(events.pinned, tag=release.tag, commit=release.commit)
        Baselines(master.store).forget(release)
    pins.raise_epoch(release.repo, lease.epoch)
    Payloads(master.root / "payloads").collect(pins.payload_names(), master.bus.now() - _PAYLOADS_KEPT)


def _next(conductor: Conductor, outcome: Outcome) -> str:
    name = conductor.repo.name
    if outcome.word == MIXED:
        return f"salt-run deploy.report repo={name}; when the hosts are back: salt-run deploy.sync repo={name} tag=..."
    errors = [host.error for host in conductor.course.hosts.values() if host.error]
    return str(errors[0].get("next", "")) if errors and not outcome.accepted else ""


def _tell_preparing(wish: Wish, deploy: str, master: Master) -> None:
    """A first sign of life: until the release is resolved and packed there is nothing for the journal."""
    event = events.preparing(
        deploy, wish.repo, master.bus.now(), action=wish.action, tag=wish.tag, user=master.user
    )
    for watcher in master.watchers:
        with contextlib.suppress(OSError, ValueError):
            watcher.hear(event)


def _unknown(deploy: str) -> str:
    raise NoSuchDeploy(f"there is no journal of deploy {deploy}", next="salt-run deploy.versions repo=...")
