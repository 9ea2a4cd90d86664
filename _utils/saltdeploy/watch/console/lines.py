"""A deploy as plain lines: for logs, pipes, CI, and terminals that can do no more.

The lines that users of scap and of Trebuchet know are kept byte for byte::

    == CANARY ==
    10:11:15 mediawiki: canary checkout stage(s):  70% (in-flight: 2; ok: 7; fail: 0; left: 1)
    7/10 minions completed checkout
    10:11:16 canary deploy successful

All times are UTC.
"""

from __future__ import annotations

import contextlib
import time
from typing import TextIO

from saltdeploy.protocol import events
from saltdeploy.watch import sentences as watch_sentences
from saltdeploy.watch.failures import FoldedFailures
from saltdeploy.watch.settings import WatchSettings
from saltdeploy.watch.stage import Stage
from saltdeploy.watch.state import DeployView

_EVERY = 3.0  # seconds
_PREPARING_EVERY = 5.0  # seconds
_PAUSE_EVERY = 30.0  # seconds; scap's own measure


class Lines:
    """A :class:`saltdeploy.watch.Watcher` that writes lines, progress at most every three seconds.

    Args:
        stream: takes text. A stream that breaks is left alone: the deploy does not depend on it.
        settings: what it is told of that stream.
    """

    def __init__(self, stream: TextIO, settings: WatchSettings) -> None:
        self._stream: TextIO | None = stream
        self._result_of = settings.result_of
        self._state = DeployView()
        self._told = 0.0
        self._preparing_told = ""
        self._folded = FoldedFailures()
        self._told_of: tuple[int, int] = (0, 0)
        self._failures = self._warnings = self._checks = 0
        self._headed: set[str] = set()
        self._switched = ""  # the group that was switched, until it is known what follows

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        kind = self._state.hear(event)
        say = _SAY.get(kind)
        if say is not None:
            say(self)
        self._say_what_was_found()
        self._say_progress_now_and_then()

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._state.tick(now)
        self._say_progress_now_and_then()

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._stream = None

    # -- the deploy -------------------------------------------------------------------------------------

    def _preparing(self) -> None:
        said, step = watch_sentences.preparing(self._state), self._state.step
        if said != self._preparing_told:
            self._say(said)
        if step:
            self._say(watch_sentences.still_preparing(self._state))
        self._preparing_told, self._told = said, self._state.now

    def _started(self) -> None:
        self._say(watch_sentences.started(self._state))
        for line in watch_sentences.scope(self._state):
            self._say(line)

    def _chosen(self) -> None:
        self._say(f"{self._state.repo}: {self._state.chosen[-1]}")

    def _resumed(self) -> None:
        self._say(watch_sentences.resumed(self._state))
        self._told = self._state.now

    def _aborted(self) -> None:
        self._say(watch_sentences.aborted(self._state))

    def _pinned(self) -> None:
        self._say_that_the_group_is_done()
        pin = self._state.pinned
        if pin is not None:
            self._say(watch_sentences.pinned(pin))

    def _finished(self) -> None:
        end = self._state.outcome
        if end is None:
            return
        self._say_who_failed_alike()
        if self._folded.untold:
            self._say(self._folded.untold)
        self._say(watch_sentences.finished(self._state))
        if self._state.deploy != self._result_of:
            self._write(watch_sentences.ending(end))

    # -- stages -----------------------------------------------------------------------------------------

    def _stage_started(self) -> None:
        stage = self._state.stage
        if stage is None:
            return
        self._say_that_the_group_is_done()
        if stage.group and stage.group not in self._headed:
            self._headed.add(stage.group)
            self._write("")
            self._write(f"== {stage.group.upper()} ==")
        self._told, self._told_of = self._state.now, (0, 0)
        self._say(watch_sentences.stage_started(self._state, stage))

    def _stage_finished(self) -> None:
        stage = self._state.stage
        if stage is None:
            return
        self._say_who_failed_alike()
        self._counts(stage)
        self._say(watch_sentences.stage_finished(self._state, stage))
        self._switched = stage.group if stage.name == "checkout" and stage.ok == stage.total else ""

    def _say_that_the_group_is_done(self) -> None:
        """Said when what comes next shows that nothing was wrong with the group; as scap says it."""
        group, self._switched = self._switched, ""
        state = self._state
        rolls_back = state.stage is not None and state.stage.name == "rollback"
        if group and not (state.blocked or state.aborted or rolls_back):
            self._say(f"{group} deploy successful")

    # -- between stages ---------------------------------------------------------------------------------

    def _paused(self) -> None:
        self._say_that_the_group_is_done()
        self._say_pause()

    def _question(self) -> None:
        question, state = self._state.question, self._state
        if question is None:
            return
        self._say_that_the_group_is_done()
        self._say(f"{state.repo}: {question.text}")
        for line in watch_sentences.waits(question, state):
            self._say(line)

    def _answered(self) -> None:
        if self._state.answer is not None:
            self._say(f"{self._state.repo}: {watch_sentences.answered(self._state.answer)}")

    # -- what is said whenever there is some ------------------------------------------------------------

    def _say_what_was_found(self) -> None:
        state = self._state
        for failure in state.failures[self._failures :]:
            self._failures += 1
            if self._folded.is_new(failure):
                self._say(f"{failure.host}: {watch_sentences.failed(failure)}")
        for warning in state.warnings[self._warnings :]:
            self._warnings += 1
            self._say(watch_sentences.warned(warning))
        for check in state.checks[self._checks :]:
            self._checks += 1
            self._say(watch_sentences.checked(check, state.repo))

    def _say_who_failed_alike(self) -> None:
        for line in self._folded.together():
            self._say(line)

    def _say_progress_now_and_then(self) -> None:
        stage = self._state.running
        if self._state.outcome is not None or self._state.question is not None:
            return
        if self._state.pause is not None:
            if self._state.now - self._told >= _PAUSE_EVERY:
                self._say_pause()
            return
        if not self._state.underway:
            if self._preparing_told and self._state.now - self._told >= _PREPARING_EVERY:
                self._say(watch_sentences.still_preparing(self._state))
                self._told = self._state.now
            return
        if stage is None or stage.done >= stage.total:  # its end comes next, with the same numbers
            return
        if self._state.now - self._told < _EVERY:
            return
        if (stage.ok, stage.failed) != self._told_of:
            self._counts(stage)
        else:
            self._say(
                f"{self._state.repo}: {stage.title} waits for {watch_sentences.waited_for(self._state, stage)}"
            )
        self._told = self._state.now

    def _say_pause(self) -> None:
        if self._state.pause is not None:
            self._say(f"{self._state.repo}: {watch_sentences.paused(self._state.pause, self._state)}")
            self._told = self._state.now

    def _counts(self, stage: Stage) -> None:
        self._told_of = (stage.ok, stage.failed)
        self._say(watch_sentences.counts(self._state, stage))
        self._write(f"{stage.ok}/{stage.total} minions completed {stage.label}")

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


_SAY = {
    events.PREPARING: Lines._preparing,
    events.STARTED: Lines._started,
    events.CHOSEN: Lines._chosen,
    events.RESUMED: Lines._resumed,
    events.ABORTED: Lines._aborted,
    events.STAGE_STARTED: Lines._stage_started,
    events.STAGE_FINISHED: Lines._stage_finished,
    events.PAUSED: Lines._paused,
    events.QUESTION: Lines._question,
    events.ANSWERED: Lines._answered,
    events.PINNED: Lines._pinned,
    events.FINISHED: Lines._finished,
}
