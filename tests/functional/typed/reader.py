"""Reads what is printed behind ``Next:`` as a person does: ways that exclude each other, and steps one after the other."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_OR = re.compile(r"(?:[;,.] |\. )(?:or|else),? (?!.{0,12}raise )|; if neither [^:]*: |; others: ", re.I)
_THEN = re.compile(r"\)?[;,] (?:and )?then |; |\), ")
_PROGRAM = re.compile(
    r"(?:^|[ (])((?:salt-run|salt-call|salt|mv|git|ls|namei|curl|rm|install|chattr|ps|kill) .*)"
)
_AGAIN = re.compile(r"(?:run )?the same (?:command|job) again|deploy again$|try again$|tries again$")
_WITH = re.compile(r"the same command with (\S+)$")
_ON_A_HOST = re.compile(r"(?:.*; )?on (web\d+|this host|the host|the master): (.+)")


@dataclass(frozen=True)
class Step:
    """One thing that a person does.

    Attributes:
        text: as it was printed.
        words: of a command; () for what is no command.
        again: the command that printed this, once more.
        other: an argument that it is to have then, in place of its own.
        on: the host at whose shell the text behind it is typed; "" for none.
    """

    text: str
    words: tuple[str, ...] = ()
    again: bool = False
    other: str = ""
    on: str = ""


def ways(printed: str) -> list[list[Step]]:
    """The ways on that were printed, each as its steps."""
    return [_steps(way) for way in _OR.split(printed)]


def _steps(way: str) -> list[Step]:
    on_a_host = _ON_A_HOST.match(way)
    if on_a_host:
        command, _, rest = on_a_host[2].partition("; then ")
        return [Step(command, on=on_a_host[1]), *(_steps(rest) if rest else [])]
    return [step for part in _THEN.split(way) for step in _step(part.strip())]


def _step(part: str) -> list[Step]:
    if other := _WITH.search(part):
        return [Step(part[: other.start()] or part, again=True, other=other[1])]
    if _AGAIN.search(part):
        return [Step(part, again=True)]
    found = _PROGRAM.search(part)
    if not found:
        return [Step(part)]
    before = part[: found.start(1)].strip(" (:,")
    typed = found[1].removesuffix(")") if "(" in part[: found.start(1)] else found[1]
    command = re.split(r" (?:tells|shows|must) ", typed)[0]
    return [Step(before or part, tuple(shlex.split(command)))]
