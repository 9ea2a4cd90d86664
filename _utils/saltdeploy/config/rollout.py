"""What the pillar says about *how* a release is rolled out: groups, restarts, checks; parsed and frozen.

Each function here takes what stands under one key of the pillar and returns frozen data. What is wrong is a
:class:`Wrong` that knows where below that key it stands; :mod:`saltdeploy.config` makes one error of it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saltdeploy.config import transports, values
from saltdeploy.config.targets import TARGET_TYPES
from saltdeploy.config.values import Wrong, absolute, name, one_of, seconds, share, table, text, window

if TYPE_CHECKING:
    from saltdeploy.config.signal_kinds import PluggedSignal

ASK = "ask"
#: What is done to a service behind the switch; one that is ``around`` is stopped before it and started behind it.
AROUND = "around"
ACTIONS = ("restart", "reload", "stop-start", AROUND)
#: Stages that a check can stand before or after. ``checkout`` is the switch alone, ``restart`` what follows it on
#: the same host; ``final`` is when every group is done.
CHECK_STAGES = ("fetch", "checkout", "restart", "rollback", "final")
#: scap's names for them, in the pillar: there, ``promote`` is the switch *and* the restart. In scap's own file it
#: is the switch alone, see :mod:`saltdeploy.config.scap_checks`.
_ALIASES = {"restart_service": "restart", "handle_service": "restart", "finalize": "final"}
_BEFORE_ALIASES = {**_ALIASES, "promote": "checkout"}
_AFTER_ALIASES = {**_ALIASES, "promote": "restart"}
REST = "default"


@dataclass(frozen=True)
class Group:
    """An ordered part of the targets.

    Attributes:
        name: as operators know it.
        targets, targets_type: Salt's target expression; "" for the targets that no other group takes.
        batch: how many of its hosts switch at once: a count or a share; "" as the repo says.
        rollback_batch: how many of them switch back at once, likewise.
        failure_limit: how many of its hosts may fail: a count or a share; "" as the repo says.
        size: the group is split into parts of this many hosts, one after the other; 0: it is not.
        hold: what happens before the next group: "" nothing, a number of seconds, or :data:`ASK`.
        transport: how releases travel to its hosts; "" as the repo says.
        on_inconclusive: what follows when it cannot be told whether too many of its hosts failed; "" as the repo says.
    """

    name: str
    targets: str = ""
    targets_type: str = "compound"
    batch: str = ""
    rollback_batch: str = ""
    failure_limit: str = ""
    size: int = 0
    hold: str = ""
    transport: str = ""
    on_inconclusive: str = ""


@dataclass(frozen=True)
class Service:
    """One service of Salt's ``service`` module and what is done to it: one of :data:`ACTIONS`."""

    name: str
    action: str = "restart"


@dataclass(frozen=True)
class Signal:
    """A signal for a process that is found by its pid file or as the main process of a systemd unit."""

    name: str
    pidfile: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Restart:
    """What makes a host's processes take up the release after the switch, in this order; all parts may be empty.

    Attributes:
        services: restarted one after the other.
        signals: sent after that.
        command: an argument list, run last.
        ports: TCP ports on this host that must accept connections afterwards.
        timeout: seconds for each of these.
    """

    services: tuple[Service, ...] = ()
    signals: tuple[Signal | PluggedSignal, ...] = ()
    command: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    timeout: float = 120.0

    def __bool__(self) -> bool:
        return bool(self.services or self.signals or self.command or self.ports)


@dataclass(frozen=True)
class Check:
    """Something that must be true before or after a stage.

    Attributes:
        name: unique in its repo.
        kind: its kind; see :mod:`saltdeploy.config.check_kinds`.
        before: whether it stands before its stage; else after it.
        stage: one of :data:`CHECK_STAGES`.
        group: only for hosts of this group; "" for all.
        timeout: seconds.
        master: it runs once, on the master, when the group (or the fleet) has done the stage; else on each host.
        options: the kind's own keys, checked when the pillar is read; see :mod:`saltdeploy.checks`.
    """

    name: str
    kind: str
    before: bool
    stage: str
    group: str = ""
    timeout: float = 30.0
    master: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def point(self) -> str:
        """Where it stands: ``before fetch``, ``after restart``, ..."""
        return f"{'before' if self.before else 'after'} {self.stage}"

    def option(self, key: str, default: Any = None) -> Any:
        """One of the kind's own keys."""
        return dict(self.options).get(key, default)


@dataclass(frozen=True)
class RolloutPolicy:
    """In which order, how many at once, and what follows when something fails.

    Attributes:
        batch: how many hosts switch at once: a count or a share such as ``25%``.
        rollback_batch: how many hosts switch back at once: a count or a share.
        fetch_batch: how many hosts fetch at once: a count or a share.
        failure_limit: how many hosts of a group may fail before the deploy is stopped: a count or a share.
        timeout: seconds that a host may take for one stage.
        groups: the order in which the targets switch; empty: all of them are one group.
        on_failure: what follows when too many hosts fail: ``rollback``, ``hold`` or ``ask``.
        on_inconclusive: what follows where that cannot be told, likewise; "" as ``on_failure`` says.
        on_abort: what follows when an operator stops the deploy: ``rollback`` or ``hold``.
        question_timeout: seconds until a question that nobody answers gets its default.
    """

    batch: str
    rollback_batch: str
    fetch_batch: str
    failure_limit: str
    timeout: int
    groups: tuple[Group, ...]
    on_failure: str
    on_inconclusive: str
    on_abort: str
    question_timeout: float


def policy(keys: dict[str, Any]) -> RolloutPolicy:
    """What holds for one repo, by the checked values of its section."""
    return values.of_keys(RolloutPolicy, keys, on_inconclusive=keys["on_inconclusive"] or "")


def hold(value: Any) -> str:
    """What happens between two groups."""
    if value in (None, "", 0):
        return ""
    if value == ASK:
        return ASK
    return f"{seconds()(value):g}"


def groups(value: Any) -> tuple[Group, ...]:
    """``groups``: a list of tables, in the order in which they switch.

    A group without ``targets`` takes what the others leave; where there is none, one is added at the end. What a
    group does not say, or has null, is as the repo says.
    """
    known: dict[str, Callable[[Any], Any]] = {
        "name": name,
        "targets": text,
        "targets_type": one_of(*TARGET_TYPES),
        "batch": window,
        "rollback_batch": window,
        "failure_limit": share,
        "group_size": values.whole(1),
        "hold": hold,
        "transport": transports.of_group,
        "on_inconclusive": one_of("rollback", "hold", "ask"),
    }
    found: list[Group] = []
    for number, entry in enumerate(values.list_of(value, "groups")):
        fields = table(_without_nulls(entry), known, required=("name",), path=(number,))
        fields["size"] = fields.pop("group_size", 0)
        found.append(Group(**fields))
    names = [group.name for group in found]
    if len(set(names)) < len(names):
        raise Wrong("two groups have the same name")
    if sum(1 for group in found if not group.targets) > 1:
        raise Wrong("more than one group is without `targets`: only one can take the rest")
    if found and all(group.targets for group in found):
        found.append(Group(REST if REST not in names else f"{REST}-rest"))
    return tuple(found)


def services(value: Any) -> tuple[Service, ...]:
    """``service_name``: Trebuchet's one name, or scap's ``a, b=reload``."""
    found = []
    for part in filter(None, (each.strip() for each in text(value).split(","))):
        service, _, action = (each.strip() for each in part.partition("="))
        if action and action not in ACTIONS:
            raise Wrong(f"{action!r} is not one of {', '.join(ACTIONS)}")
        if not service or service.startswith("-"):
            raise Wrong("must be names of services, divided by commas, each with =reload if need be")
        found.append(Service(service, action or "restart"))
    return tuple(found)


def signals(value: Any) -> tuple[Signal | PluggedSignal, ...]:
    """``signal``: ``{name: HUP, pidfile: ...}`` or ``{name: HUP, unit: ...}``, or one with the ``type`` of a package; or a
    list of those."""
    known: dict[str, Callable[[Any], Any]] = {"name": _signal_name, "pidfile": absolute, "unit": text}
    found: list[Signal | PluggedSignal] = []
    for number, entry in enumerate(value if isinstance(value, list) else [value]):
        if isinstance(entry, dict) and "type" in entry:
            from saltdeploy.config import signal_kinds  # few repos have any

            found.append(signal_kinds.plugged(entry, number))
            continue
        fields = table(entry, known, required=("name",), path=(number,) if isinstance(value, list) else ())
        if ("pidfile" in fields) == ("unit" in fields):
            raise Wrong("needs one of pidfile and unit")
        found.append(Signal(**fields))
    return tuple(found)


def stage_before(value: Any) -> str:
    """The stage that a check stands before, by our name or by scap's."""
    return _stage(value, _BEFORE_ALIASES)


def stage_after(value: Any) -> str:
    """The stage that a check stands after, by our name or by scap's."""
    return _stage(value, _AFTER_ALIASES)


def _stage(value: Any, aliases: dict[str, str]) -> str:
    found = aliases.get(value, value) if isinstance(value, str) else value
    if found not in CHECK_STAGES:
        raise Wrong(f"must be one of {', '.join([*CHECK_STAGES, *aliases])}")
    return str(found)


def _without_nulls(value: Any) -> Any:
    return (
        {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value
    )


def _signal_name(value: Any) -> str:
    known = text(value).upper().removeprefix("SIG")
    if not hasattr(signal.Signals, f"SIG{known}"):
        raise Wrong("must be the name of a signal, such as HUP")
    return known
