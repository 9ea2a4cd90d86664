"""The key ``once`` of a repo: steps that run once in a deploy, in one place; docs/steps.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong

MASTER, FIRST = "master", "first"
REFUSE, GO_ON = "refuse", "go on"
_FIRST_OF = "first of "
_STAGES = ("checkout", "promote")
#: How YAML reads the word ``on`` where it stands without quotes, and what JSON makes of that.
_ON = (True, "true", "on")
_MOST = 20  # steps


@dataclass(frozen=True)
class OnceCommand:
    """A command that runs once in a deploy.

    Attributes:
        name: unique in its repo.
        before: it runs when every host has fetched and none has switched; else when all have switched.
        where: :data:`MASTER`, :data:`FIRST` (the first host that switches), ``first of GROUP``, or a compound target expression.
        command: an argument list.
        undo: one that undoes it; () where nothing can.
        refuses: a roll back of a release with which it ran is refused.
        timeout: seconds for each of the two.
    """

    name: str
    before: bool
    where: str
    command: tuple[str, ...]
    undo: tuple[str, ...] = ()
    refuses: bool = False
    timeout: float = 600.0

    @property
    def group(self) -> str:
        """The group on whose first host it runs; "" where it does not."""
        return self.where.removeprefix(_FIRST_OF) if self.where.startswith(_FIRST_OF) else ""

    @property
    def point(self) -> str:
        """Where it stands, in words."""
        return "before the checkout" if self.before else "after the checkout"


def once(value: Any) -> tuple[OnceCommand, ...]:
    """A reader of ``once``: a list of steps, in the order in which they run."""
    listed = values.list_of(value, "steps")
    if len(listed) > _MOST:
        raise Wrong(f"must be a list of at most {_MOST} steps")
    found = tuple(_step(entry, number) for number, entry in enumerate(listed))
    names = [step.name for step in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise Wrong(f"two steps are named {name}", number, "name")
    return found


def _step(entry: Any, number: int) -> OnceCommand:
    if isinstance(entry, dict):
        entry = {("where" if key in _ON else key): each for key, each in entry.items()}
    known: dict[str, Callable[[Any], Any]] = {
        "name": values.name,
        "before": values.one_of(*_STAGES),
        "after": values.one_of(*_STAGES),
        "where": values.text,
        "command": values.command,
        "undo": values.command,
        "rollback": values.one_of(REFUSE, GO_ON),
        "timeout": values.seconds(0.1),
    }
    read = values.table(entry, known, required=("name", "command"), path=(number,))
    points = [key for key in ("before", "after") if key in read]
    if len(points) != 1:
        raise Wrong("needs one of before and after: checkout", number)
    return OnceCommand(
        name=read["name"],
        before=points == ["before"],
        where=read.get("where", MASTER),
        command=read["command"],
        undo=read.get("undo", ()),
        refuses=read.get("rollback") == REFUSE,
        timeout=read.get("timeout", 600.0),
    )


def refuse_unknown_groups(steps: tuple[OnceCommand, ...], groups: set[str]) -> None:
    """Refuse a step on the first host of a group that there is not.

    Raises:
        Wrong: for the first such step.
    """
    for number, step in enumerate(steps):
        if step.group and step.group not in groups:
            raise Wrong(f"there is no group {step.group}", number, "where")
