"""What can be done besides to let processes take up a release, in one table, to which installed packages add rows.

The key ``signal`` of the pillar names such a kind by ``type``; without one it is a signal to a process
(:class:`saltdeploy.config.rollout.Signal`). A kind is a row here and a function; both may be in a package of somebody else,
with an entry point in the group :data:`GROUP`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.plugins import Table
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

GROUP = "saltdeploy.signals"


@dataclass(frozen=True)
class SignalKind:
    """What is known of a kind.

    Attributes:
        name: what an operator writes as ``type``: 1 to 20 small letters.
        run: what does it, as ``package.module:function``; it takes a table of the keys below and a
            :class:`~saltdeploy.checks.base.CheckContext`, and returns what there is to say, a text. What it raises is a
            failure. It is run in a process of its own, which is killed after the pillar's ``service_timeout``.
        keys: its keys, each with what reads its value.
        required: those of them that it needs.
    """

    name: str
    run: str
    keys: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.run, str) or ":" not in self.run:
            raise TypeError("run must be a text: package.module:function")
        if not isinstance(self.keys, Mapping) or not all(map(callable, self.keys.values())):
            raise TypeError("keys must be a table of readers")
        if not set(self.required) <= set(self.keys):
            raise TypeError("required must be names of keys")


@dataclass(frozen=True)
class PluggedSignal:
    """One entry of ``signal`` of such a kind, with the values of its keys."""

    kind: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        said = ", ".join(f"{key} {value}" for key, value in self.options)
        return f"{self.kind} ({said})" if said else self.kind


TABLE: Table[SignalKind] = Table("kind of signal", GROUP, SignalKind, ())


def plugged(entry: Mapping[str, Any], number: int) -> PluggedSignal:
    """Read an entry of ``signal`` that has a ``type``.

    Raises:
        Wrong: no package brings it, or its keys are wrong.
    """
    name = entry["type"]
    try:
        kind = TABLE.find(name) if isinstance(name, str) else None
    except ConfigError as error:  # of a broken package
        raise Wrong(f"{error.cause}; {error.next}", number, "type") from None
    if kind is None:
        known = ", ".join(TABLE.names()) or "none is installed"
        raise Wrong(f"no package brings this kind of signal ({known})", number, "type")
    given = {key: value for key, value in entry.items() if key != "type"}
    read = values.table(given, dict(kind.keys), required=kind.required, path=(number,))
    return PluggedSignal(kind.name, tuple((key, read[key]) for key in kind.keys if key in read))
