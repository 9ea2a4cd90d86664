"""The deploys' begin and end as hooks of the master: a program, or an execution function of Salt. Neither decides anything."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from saltdeploy.lib import process
from saltdeploy.watch.signals.signal import Notification
from saltdeploy.watch.signals.sink import Refused
from saltdeploy.watch.signals.wording import line
from saltdeploy.watch.text import clean

Execute = Callable[[str, list[Any], dict[str, Any]], Any]
"""Calls an execution function on the master by its name."""

_VARIABLES = ("kind", "deploy", "repo", "tag", "commit", "user", "action", "message", "outcome", "reason")


class Command:
    """Runs a program with the signal as JSON on its standard input, and its fields as ``DEPLOY_...`` variables.

    Args:
        arguments: an argument list; no shell sees it.
        timeout: seconds; then it is killed, with everything that it has started.
    """

    def __init__(self, arguments: tuple[str, ...], timeout: float) -> None:
        self._arguments, self._timeout = arguments, timeout

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`. It runs once, however it ends."""
        told = signal.to_wire()
        variables = {f"DEPLOY_{name.upper()}": str(told.get(name, "")) for name in _VARIABLES}
        try:
            with tempfile.TemporaryFile() as document:
                document.write(json.dumps(told, sort_keys=True).encode())
                document.seek(0)
                ended = process.run(self._arguments, self._timeout, environment=variables, given=document)
        except process.Overran as error:
            raise self._failed(f"did not end in {self._timeout:g} s", error.output) from None
        except OSError as error:
            raise self._failed(f"cannot be run: {error.strerror}", "") from None
        if ended.code:
            raise self._failed(f"ended with {ended.code}", ended.output)

    def _failed(self, how: str, output: str) -> Refused:
        said = f": {clean(output[-500:])}" if output else ""
        return Refused(f"{self._arguments[0]} {how}{said}")


class Function:
    """Calls an execution function with templated arguments.

    Args:
        name: ``slack_notify.post_message``.
        arguments, keywords: texts in them may name ``{repo}``, ``{tag}``, ``{line}`` and the other fields of a signal.
        wording, place: of ``{line}``; see :func:`saltdeploy.watch.signals.wording.line`.
        timeout: seconds; then it is killed.
        execute: calls it.
    """

    def __init__(
        self,
        name: str,
        arguments: list[Any],
        keywords: Mapping[str, Any],
        wording: str,
        place: str,
        timeout: float,
        execute: Execute,
    ) -> None:
        self._name, self._arguments, self._keywords = name, arguments, keywords
        self._wording, self._place = wording, place
        self._timeout, self._execute = timeout, execute

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`. It is called once, however it ends."""
        words = {name: str(value) for name, value in signal.to_wire().items()}
        words["line"] = line(signal, self._wording, self._place)
        if not words["line"]:
            return
        arguments = [filled(each, words) for each in self._arguments]
        keywords = {key: filled(each, words) for key, each in self._keywords.items()}
        try:
            answer = process.call(lambda: self._execute(self._name, arguments, keywords), self._timeout)
        except process.Overran:
            raise Refused(f"{self._name} did not end in {self._timeout:g} s") from None
        except process.Raised as error:
            raise Refused(f"{self._name} failed: {clean(str(error))}") from None
        if answer is False or (isinstance(answer, str) and "is not available" in answer):
            raise Refused(f"{self._name} answered {clean(str(answer))}")


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """A value in which ``{name}`` stands for a word; braces around anything else stay as they are.

    Words come from commits and operators: nothing of theirs is ever a template itself.
    """
    if not isinstance(value, str):
        return value
    head, *rest = value.split("{")
    for piece in rest:
        name, closed, tail = piece.partition("}")
        head += f"{words[name]}{tail}" if closed and name in words else f"{{{piece}"
    return head
