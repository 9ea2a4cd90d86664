"""What the pillar says about *how* a release is rolled out: groups, restarts, checks; parsed and frozen.

Each function here takes what stands under one key of the pillar and returns frozen data. What is wrong is a
:class:`Wrong` that knows where below that key it stands; :mod:`saltdeploy.config` makes one error of it.
"""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ASK = "ask"
ACTIONS = ("restart", "reload", "stop-start")
KINDS = ("command", "script", "nrpe", "http", "port", "salt", "metric")
#: Stages that a check can stand before or after. ``checkout`` is the switch alone, ``restart`` what follows it on
#: the same host; ``final`` is when every group is done.
CHECK_STAGES = ("fetch", "checkout", "restart", "rollback", "final")
#: scap's names for them, in the pillar: there, ``promote`` is the switch *and* the restart. In scap's own file it
#: is the switch alone, see :mod:`saltdeploy.config.scap_checks`.
_ALIASES = {"restart_service": "restart", "handle_service": "restart", "finalize": "final"}
_BEFORE_ALIASES = {**_ALIASES, "promote": "checkout"}
_AFTER_ALIASES = {**_ALIASES, "promote": "restart"}
AUTO = "auto"
TRANSPORTS = ("bundle", "git", "tar", "delta", "rsync", "squashfs", AUTO)
TARGET_TYPES = (
    "glob",
    "pcre",
    "list",
    "grain",
    "grain_pcre",
    "pillar",
    "pillar_exact",
    "nodegroup",
    "compound",
)
REST = "default"
_SHARE = re.compile(r"[0-9]{1,9}|(100|[0-9]{1,2})%")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class Wrong(ValueError):
    """A value that cannot be meant.

    Args:
        path: keys from the value that was being read down to what is wrong; empty for the value itself.
    """

    def __init__(self, text: str, *path: object) -> None:
        super().__init__(text)
        self.path = tuple(str(part) for part in path)

    def below(self, *path: object) -> Wrong:
        """The same, seen from further up."""
        return Wrong(str(self), *path, *self.path)


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
    signals: tuple[Signal, ...] = ()
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
        kind: one of :data:`KINDS`.
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


def share(value: Any) -> str:
    """A count of hosts, or a share of them."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return value
    raise Wrong("must be a count (3) or a share (25%)")


def window(value: Any) -> str:
    """A :func:`share` that lets at least one host through."""
    if not int(share(value).rstrip("%")):
        raise Wrong("must let at least one host switch: a count from 1 or a share from 1%")
    return share(value)


def seconds(least: float = 0.0) -> Callable[[Any], float]:
    """A length of time."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 86_400 * 7:
            raise Wrong(f"must be a number of seconds from {least:g} to 604800")
        return float(value)

    return check


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
        "group_size": _whole(1),
        "hold": hold,
        "transport": one_of(*TRANSPORTS),
    }
    found: list[Group] = []
    for number, entry in enumerate(_list(value, "groups")):
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


def signals(value: Any) -> tuple[Signal, ...]:
    """``signal``: ``{name: HUP, pidfile: ...}`` or ``{name: HUP, unit: ...}``, or a list of those."""
    known: dict[str, Callable[[Any], Any]] = {"name": _signal_name, "pidfile": absolute, "unit": text}
    found = []
    for number, entry in enumerate(value if isinstance(value, list) else [value]):
        fields = table(entry, known, required=("name",), path=(number,) if isinstance(value, list) else ())
        if ("pidfile" in fields) == ("unit" in fields):
            raise Wrong("needs one of pidfile and unit")
        found.append(Signal(**fields))
    return tuple(found)


def command(value: Any) -> tuple[str, ...]:
    """An argument list; a text is split as a shell would, and no shell ever sees it."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise Wrong(f"cannot be split into arguments: {error}") from None
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(word, (str, int, float)) for word in value)
    ):
        raise Wrong("must be a list of arguments")
    words = tuple(str(word) for word in value)
    if not words[0] or any("\0" in word for word in words):
        raise Wrong("must be a list of arguments that begins with a program")
    return words


def ports(value: Any) -> tuple[int, ...]:
    """One TCP port or a list of them."""
    return tuple(_port(each) for each in (value if isinstance(value, list) else [value]))


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


# -- small values ---------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise Wrong("must be a text that is not empty")
    return value


def name(value: Any) -> str:
    """The name of a group or a check: short, and safe on a terminal and in a tag."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Wrong("must be a short name of letters, digits and _ . -")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Wrong("must be true or false")
    return value


def absolute(value: Any) -> str:
    """An absolute path."""
    if not text(value).startswith("/"):
        raise Wrong("must be an absolute path")
    return str(value)


def one_of(*names: str) -> Callable[[Any], str]:
    """One of a few words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise Wrong(f"must be one of {', '.join(names)}")
        return value

    return check


def table(
    value: Any,
    known: dict[str, Callable[[Any], Any]],
    *,
    required: tuple[str, ...] = (),
    path: tuple[object, ...] = (),
) -> dict[str, Any]:
    """Read a table with these keys and no others.

    Args:
        known: key to what reads its value.
        path: where the table stands, for errors.
    """
    if not isinstance(value, dict):
        raise Wrong("must be a table", *path)
    found = {}
    for key, each in value.items():
        if key not in known:
            raise Wrong(f"{key!r} is not a key that we know; the keys are {', '.join(known)}", *path, key)
        try:
            found[str(key)] = known[key](each)
        except Wrong as error:
            raise error.below(*path, key) from None
    for key in required:
        if key not in found:
            raise Wrong(f"needs {key}", *path)
    return found


def table_of_any(value: Any) -> dict[str, Any]:
    """A table, whatever is in it."""
    if not isinstance(value, dict):
        raise Wrong("must be a table")
    return {str(key): each for key, each in value.items()}


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong(f"must be a list of {what}")
    return value


def _without_nulls(value: Any) -> Any:
    return (
        {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value
    )


def _whole(least: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Wrong(f"must be a whole number from {least}")
        return value

    return check


def _port(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65_536:
        raise Wrong("must be a TCP port")
    return value


def _signal_name(value: Any) -> str:
    known = text(value).upper().removeprefix("SIG")
    if not hasattr(signal.Signals, f"SIG{known}"):
        raise Wrong("must be the name of a signal, such as HUP")
    return known
