"""Trebuchet's report of a stage, byte for byte::

    Repo: test/testrepo
    Tag: release/2026-11-23/1

    2/3 minions completed fetch

    Details:

    web3:
    <tab>fetch status: 155 [started: 2 mins ago, last-return: 0 mins ago]

A line of ours follows below a host that has told why it failed.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
from collections.abc import Callable
from typing import TextIO

from saltdeploy.protocol import events
from saltdeploy.watch.notes import QuestionNote
from saltdeploy.watch.sentences import how_to_answer
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import natural, with_next

_MOST_DETAILS = 50


def report(state: DeployView, *, detailed: bool) -> list[str]:
    """The report of the latest stage.

    Args:
        detailed: name the hosts that have not completed it.
    """
    stage = state.stage
    if stage is None:
        return []
    lines = [f"Repo: {state.repo}", f"Tag: {state.tag}", ""]
    lines.append(f"{stage.ok}/{stage.total} minions completed {stage.name}")
    return [*lines, "", "Details:", "", *_details(state, stage)] if detailed else lines


def _details(state: DeployView, stage: Stage) -> list[str]:
    causes = {failure.host: failure for failure in state.failures if failure.stage == stage.name}
    pending = sorted(stage.pending(), key=lambda host: natural(host.name))
    lines: list[str] = []
    for host in pending[:_MOST_DETAILS]:
        lines += [f"{host.name}: ", f"\t{stage.name} {_status(host, state.now)}"]
        if host.status is not None and host.name in causes:
            lines.append(f"\t{with_next(causes[host.name].cause, causes[host.name].next)}")
    more = len(pending) - _MOST_DETAILS
    return [*lines, f"{more} more"] if more > 0 else lines


def _status(host: HostProgress, now: float) -> str:
    started, returned = _minutes(host.since, now), _minutes(host.ended, now)
    return f"status: {host.status} [started: {started} mins ago, last-return: {returned} mins ago]"


def _minutes(moment: float | None, now: float) -> int | None:
    return None if moment is None else int(max(0.0, now - moment) // 60)


Answer = Callable[[events.Event, str], bool]
"""``answer(question, choice)``: the event that asked, and what the operator chose; False when another was first."""

_LETTERS = {"rollback": "b", "continue": "o"}  # never r, which has always been retry; never c, a report
_TREBUCHETS = ("yes", "no", "retry")
_REPORTS = ("", "c", "concise", "d", "detailed")
_AT_ONCE = 4096  # bytes
_SILENT = (events.HOST_PROGRESS, events.STAGE_PROGRESS)  # nobody writes because of them


class Prompt:
    """A :class:`saltdeploy.watch.Watcher` that asks.

    Args:
        stdin: where the operator types. When it is no terminal, or ends, nobody is asked.
        stdout: takes the prompt and the reports; usually ``sys.stderr``, as for the lines beside it.
        answer: takes the answer to where it counts; may raise :class:`OSError`.
    """

    def __init__(self, stdin: TextIO, stdout: TextIO, answer: Answer) -> None:
        self._stdin = _descriptor_of_terminal(stdin)
        self._stdout: TextIO | None = stdout
        self._answer = answer
        self._state = DeployView()
        self._event: events.Event = {}
        self._open: QuestionNote | None = None
        self._mine = False  # this operator's answer was the first
        self._shown = False  # the cursor stands behind the prompt
        self._introduced = False
        self._typed = b""

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        kind = self._state.hear(event)
        if not kind or kind in _SILENT:
            return
        self._leave_line()
        if kind == events.QUESTION:
            self._event, self._open = event, self._state.question
            self._mine = self._introduced = False
        elif kind == events.ANSWERED and not self._mine:
            self._say_who_answered()
        if self._state.question is None:
            self._open = None

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._state.tick(now)
        if self._open is None or self._stdin is None or not _in_foreground(self._stdin):
            return
        self._show()
        for line in self._lines():
            self._take(line)
        self._show()

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._leave_line()
        self._open = self._stdout = None

    # -- asking -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        if self._shown or self._open is None or self._stdin is None:
            return
        if not self._introduced:
            self._forget_what_was_typed()
            if self._open.choices == _TREBUCHETS:
                self._report(detailed=False)
        self._introduced = self._shown = True
        self._write(prompt_of(self._open.choices))

    def _take(self, typed: str) -> None:
        """One line that the operator typed; the terminal itself has gone to the next one."""
        self._shown = False
        if self._open is None:
            return
        word = typed.strip().lower()
        choice = chosen(word, self._open.choices)
        if word in _REPORTS:
            self._report(detailed=word.startswith("d"))
        elif choice is not None:
            self._give(choice)

    def _give(self, choice: str) -> None:
        try:
            self._mine = self._answer(self._event, choice)
        except OSError as error:
            self._write(f"The answer was not taken: {error}\n")
            return
        self._open = None

    def _say_who_answered(self) -> None:
        answer = self._state.answer
        if answer is not None and answer.key == self._event.get("key") and answer.user:
            self._write(f"{answer.user} was first: {answer.choice}\n")

    def _report(self, *, detailed: bool) -> None:
        self._write("".join(f"{line}\n" for line in report(self._state, detailed=detailed)))

    # -- the terminal -----------------------------------------------------------------------------------

    def _lines(self) -> list[str]:
        """What was typed since, as far as it is whole; never waits."""
        while self._stdin is not None:
            try:
                if not select.select([self._stdin], [], [], 0)[0]:
                    break
                piece = os.read(self._stdin, _AT_ONCE)
            except (OSError, ValueError):  # the terminal was closed
                piece = b""
            self._typed += piece
            if not piece:
                self._be_deaf()
        *whole, self._typed = self._typed.split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def _be_deaf(self) -> None:
        """Nobody types any more."""
        self._stdin = None
        self._leave_line()
        if self._open is not None:
            self._write(f"To answer: {how_to_answer(self._open, self._state)}\n")

    def _forget_what_was_typed(self) -> None:
        """What was typed before one was asked is no answer."""
        self._typed = b""
        if self._stdin is not None:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._stdin, termios.TCIFLUSH)

    def _leave_line(self) -> None:
        if self._shown:
            self._write("\n")
        self._shown = False

    def _write(self, text: str) -> None:
        if self._stdout is None:
            return
        try:
            self._stdout.write(text)
            self._stdout.flush()
        except (OSError, ValueError):  # the screen has gone away
            self._stdout = None


def prompt_of(choices: tuple[str, ...]) -> str:
    """The prompt for these choices.

    >>> prompt_of(("yes", "no", "retry"))
    'Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry): '
    """
    shown = ",".join(word.replace(letter, f"[{letter}]", 1) for word, letter in letters(choices).items())
    return f"Continue? ([d]etailed/[C]oncise report,{shown}): "


def chosen(word: str, choices: tuple[str, ...]) -> str | None:
    """The choice that an operator means by a letter or the whole word; None when it is none."""
    meant = [choice for choice, letter in letters(choices).items() if word in (letter, choice.lower())]
    return meant[0] if len(meant) == 1 else None


def letters(choices: tuple[str, ...]) -> dict[str, str]:
    """A letter for each choice: the same for the same word in every question."""
    found: dict[str, str] = {}
    for word in choices:
        free = (char for char in word if char.isalpha() and char not in {*_REPORTS, *found.values()})
        found[word] = _LETTERS.get(word) or next(free, word)
    return found


def _descriptor_of_terminal(stdin: TextIO) -> int | None:
    try:
        return stdin.fileno() if stdin.isatty() else None
    except (AttributeError, OSError, ValueError):  # no real stream, or a closed one
        return None


def _in_foreground(terminal: int) -> bool:
    """Whether one may read: the terminal stops whoever reads from behind (``salt-run ... &``)."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # not the terminal that controls us
        return True
