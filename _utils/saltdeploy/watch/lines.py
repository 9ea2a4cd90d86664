"""A deploy as plain lines: for logs, pipes, CI, and terminals that can do no more.

The lines that users of scap and of Trebuchet know are kept byte for byte::

    10:11:15 mediawiki: fetch stage(s):  70% (in-flight: 2; ok: 7; fail: 0; left: 1)
    7/10 minions completed fetch

All times are UTC.
"""

from __future__ import annotations

import contextlib
import time
from typing import TextIO

from saltdeploy import events
from saltdeploy.watch.state import Host, Stage, State
from saltdeploy.watch.text import clock, duration, hosts, outcome, sentences, short, size, utc

_PROGRESS = "%s %s: %3.0f%% (%sok: %d; fail: %d; left: %d)"  # scap's, less the spinner
_EVERY = 3.0  # seconds
_MOST_FAILURES = 20
_MOST_NAMED = 3


class Lines:
    """A :class:`saltdeploy.watch.Watcher` that writes lines, progress at most every three seconds.

    Args:
        stream: takes text. A stream that breaks is left alone: the deploy does not depend on it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._state = State()
        self._told = 0.0
        self._told_of: tuple[int, int] = (0, 0)
        self._failures = 0
        self._warnings = 0

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        kind = self._state.hear(event)
        if kind == events.STARTED:
            self._started()
        elif kind == events.STAGE_STARTED:
            self._stage_started()
        elif kind == events.STAGE_FINISHED:
            self._stage_finished()
        elif kind == events.PINNED:
            self._say(f"{self._state.repo}: pinned {self._state.tag} ({short(self._state.commit)})")
        elif kind == events.FINISHED:
            self._finished()
        self._say_what_is_wrong()
        self._say_progress_now_and_then()

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._state.tick(now)
        self._say_progress_now_and_then()

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        if self._state.deploy and self._state.outcome is None:
            self._say(unfinished(self._state))
        self._stream = None

    # -- what is said -----------------------------------------------------------------------------------

    def _started(self) -> None:
        state = self._state
        by = f" by {state.user}" if state.user else ""
        way = "to" if state.action == "rollback" else "of"  # "rollback of v2" would read as the way from v2
        what = f"{state.action} {way} {state.tag} on {hosts(state.hosts)}{by} at {utc(state.now)}"
        self._say(f"Started deploy [{state.repo}@{short(state.commit)}]: {what}")

    def _stage_started(self) -> None:
        if stage := self._state.stage:
            self._told, self._told_of = self._state.now, (0, 0)
            self._say(f"{self._state.repo}: {stage.name} stage started on {hosts(stage.total)}")

    def _stage_finished(self) -> None:
        if stage := self._state.stage:
            self._counts(stage)
            received = f", received: {size(stage.received)}" if stage.received else ""
            took = duration(self._state.elapsed(stage))
            self._say(f"{self._state.repo}: {stage.name} stage finished (duration: {took}{received})")

    def _finished(self) -> None:
        state, end = self._state, self._state.outcome
        if end is None:
            return
        if self._failures > _MOST_FAILURES:
            self._say(
                f"{self._failures - _MOST_FAILURES} more failures; all of them are in the deploy's result"
            )
        took = duration(state.elapsed())
        self._say(f"Finished deploy [{state.repo}@{short(state.commit)}]: {state.tag} (duration: {took})")
        word = outcome(end.word, end.ok, end.total)
        self._write(sentences(f"{word}: {end.reason}" if end.reason else word, end.next))

    def _say_what_is_wrong(self) -> None:
        for failure in self._state.failures[self._failures :]:
            self._failures += 1
            if self._failures <= _MOST_FAILURES:
                self._say(f"{failure.host}: {sentences(failure.cause, failure.next)}")
        for warning in self._state.warnings[self._warnings :]:
            self._warnings += 1
            self._say(f"Warning: {warning}")

    def _say_progress_now_and_then(self) -> None:
        stage = self._state.stage
        if self._state.outcome is not None or stage is None or stage.ended is not None:
            return
        whole = stage.done >= stage.total  # its end comes next, with the same numbers
        if whole or self._state.now - self._told < _EVERY:
            return
        if (stage.ok, stage.failed) != self._told_of:
            self._counts(stage)
        else:
            self._say(f"{self._state.repo}: {stage.name} waits for {waited_for(self._state, stage)}")
        self._told = self._state.now

    def _counts(self, stage: Stage) -> None:
        in_flight = "" if stage.in_flight is None else f"in-flight: {stage.in_flight}; "
        name = f"{self._state.repo}: {stage.name} stage(s)"
        self._told_of = (stage.ok, stage.failed)
        self._write(
            _PROGRESS % (self._now(), name, stage.percent, in_flight, stage.ok, stage.failed, stage.left)
        )
        self._write(f"{stage.ok}/{stage.total} minions completed {stage.name}")

    # -- how --------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return time.strftime("%H:%M:%S", time.gmtime(self._state.now))

    def _say(self, text: str) -> None:
        self._write(f"{self._now()} {text}")

    def _write(self, line: str) -> None:
        if self._stream is None:
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        with contextlib.suppress(LookupError):
            line = line.encode(encoding, "backslashreplace").decode(encoding)
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # the reader went away, or the stream was closed
            self._stream = None


def waited_for(state: State, stage: Stage) -> str:
    """The hosts that a stage waits for: by name when they are few, with what they last told."""
    missing = stage.total - stage.done
    named = state.slowest(_MOST_NAMED + 1)
    if len(named) != missing or missing > _MOST_NAMED:
        return hosts(missing) + (f"; no sign yet of {state.unheard()}" if state.unheard() else "")
    return ", ".join(f"{host.name} ({_doing(host, state.now)})" for host in named)


def unfinished(state: State) -> str:
    """What to say when the events end before the deploy does."""
    return sentences(
        f"{state.repo}: nothing more is heard of deploy {state.deploy}, and it has not told its outcome",
        f"salt-run deploy.report repo={state.repo}",
    )


def _doing(host: Host, now: float) -> str:
    percent = "" if host.percent is None else f" {host.percent}%"
    return f"{host.phase or 'no sign yet'}{percent}, {clock(now - host.since)}"
