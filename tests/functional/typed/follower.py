"""A person who does what is printed, one way after the other, each from the same beginning."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.functional.typed.console import Console, View
from tests.functional.typed.reader import Step, ways

#: What these answer may be bad news; that they answer is what they promise.
LOOKS = (
    "report",
    "status",
    "plan",
    "watch",
    "verify",
    "versions",
    "locks",
    "show",
    "overview",
    "log",
    "targets",
    "doctor",
)

Again = Callable[[], View]


@dataclass(frozen=True)
class Printed:
    """A situation, ready to print what it has to say.

    Attributes:
        again: the command that prints it.
        by_hand: beginning of what is printed and is no command, to what a person does then.
        mend: what a person does who has looked where the advice sent them; None where it does it all by itself.
        shown: what is read in place of what the command prints for people.
        other: types it with other arguments.
        says: what is said of it where an answer has its kind nowhere.
    """

    again: Again
    by_hand: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    mend: Callable[[], object] | None = None
    shown: Callable[[View], str] | None = None
    other: Callable[[dict[str, str]], View] = lambda named: {"retcode": 1, "said": "nobody types that here"}
    says: str = ""


Situation = Callable[[Console], Generator[Printed, View, None]]


def follow(kind: str, situation: Situation, consoles: Iterator[Console]) -> Iterator[View]:
    """Go each way that the situation prints.

    Returns:
        Each time the answer in which it was printed.
    """
    number, known = 0, 1
    while number < known:
        console = next(consoles)
        story = situation(console)
        printed = next(story)
        view = printed.again()
        yield (
            {**view, "kind": kind, "cause": ""}
            if printed.says in console.shown(view) and printed.says
            else view
        )
        told = (printed.shown or console.next_of)(view)
        found = ways(told)
        known = len(found)
        last = _go(found[number], printed, console)
        if printed.mend is not None:
            printed.mend()
            last = _past_its_mark(printed.again(), console)
        assert last.get("retcode", 0) == 0, f"{told}\nway {number + 1} led to {console.shown(last) or last}"
        try:
            story.send(last)
        except StopIteration:
            pass
        number += 1


def _past_its_mark(view: View, console: Console) -> View:
    """A release that was rolled back for what is mended now was not to blame, and the refusal says what goes past that."""
    if "bad-release" not in kinds_in(view):
        return view
    (last,) = ways(console.next_of(view))[-1]
    return console.type(list(last.words))


def _go(way: list[Step], printed: Printed, console: Console) -> View:
    last: View = {"retcode": 1, "said": "nothing was done"}
    for step in way:
        last = _do(step, printed, console)
    return last


def _do(step: Step, printed: Printed, console: Console) -> View:
    hand = next((act for text, act in printed.by_hand.items() if text in step.text), None)
    if hand is not None:
        hand()
        if not step.again and (not step.words or "..." in step.words[-1]):
            return {"retcode": 0}
    if step.again:
        if step.other:
            key, _, value = step.other.partition("=")
            return printed.other({key: value.strip("'")})
        return printed.again()
    if step.on:
        return _at_a_shell(step.text)
    if "docs/" in step.text:
        return {"retcode": 0}
    assert step.words, f"nobody here knows how to: {step.text}"
    if hand is not None and step.words[0] not in ("salt", "salt-run"):
        return {"retcode": 0}
    view = console.type(list(step.words))
    function = step.words[1].partition(".")[2]
    if function in LOOKS and view.get("view") != "error":
        return {**view, "retcode": 0}
    return view


def _at_a_shell(command: str) -> View:
    """That it can be typed; what it tells is bad news, or else nobody would have been sent there."""
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert ended.returncode not in (126, 127), f"{command}: {ended.stderr}"
    return {"retcode": 0, "said": ended.stdout + ended.stderr}


def kinds_in(view: Any) -> set[str]:
    """The kinds of all errors in an answer."""
    found: set[str] = set()
    if isinstance(view, dict):
        if isinstance(view.get("kind"), str) and "cause" in view:
            found.add(view["kind"])
        for each in view.values():
            found |= kinds_in(each)
    elif isinstance(view, list):
        for each in view:
            found |= kinds_in(each)
    return found
