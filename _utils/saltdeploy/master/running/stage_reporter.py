"""Tells of the stages of a deploy: that one begins, how far it is, how it ended. Its events change nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.rollout.model import Ask, Tally
from saltdeploy.protocol import events

log = logging.getLogger(__name__)


class StageReporter:
    """The stages that one process tells of.

    Args:
        elapsed: seconds, by a clock that nobody sets.
        every: seconds between two events of progress, at least.
    """

    def __init__(self, recorder: Recorder, elapsed: Callable[[], float], every: float) -> None:
        self._recorder = recorder
        self._rollout = recorder.state.rollout
        self._waves = recorder.plan.waves
        self._elapsed = elapsed
        self._every = every
        self._stage: tuple[str, int] | None = None
        self._told = 0.0

    def tell(self) -> None:
        """Tell of a stage that begins, after the end of the one before."""
        now = (self._rollout.stage, self._rollout.wave) if self._hosts_work() else None
        if self._stage is not None and now != self._stage:
            self._tell_end(*self._stage)
            self._stage = None
        if now is not None and self._stage is None:
            self._stage = now
            self._tell_begin(*now)

    def tell_progress(self) -> None:
        """Tell how far the stage is, unless that was told a moment ago."""
        if self._stage is not None and self._elapsed() - self._told >= self._every:
            self._tell_progress(*self._stage)

    def _hosts_work(self) -> bool:
        """Whether hosts are asked, or about to be; not while the deploy waits for checks, a pause or an operator."""
        if self._rollout.outcome is not None:
            return False
        return bool(self._rollout.in_flight()) or isinstance(self._rollout.due(), Ask)

    def _tell_begin(self, stage: str, wave: int) -> None:
        tally, group = self._tally(stage, wave)
        log.info(
            "deploy %s: %s begins%s: %d hosts", self._recorder.plan.deploy, stage, _in(group), tally.total
        )
        names = [*tally.waiting, *tally.in_flight]
        self._recorder.record(events.stage_started, stage=stage, group=group, total=tally.total, names=names)
        if tally.ok or tally.failed:  # it goes on, after a question or in this process
            self._tell_progress(stage, wave)

    def _tell_end(self, stage: str, wave: int) -> None:
        self._tell_progress(stage, wave)
        tally, group = self._tally(stage, wave)
        ok, failed = len(tally.ok), len(tally.failed)
        log.info(
            "deploy %s: %s ends%s: %d ok, %d failed",
            self._recorder.plan.deploy,
            stage,
            _in(group),
            ok,
            failed,
        )
        self._recorder.record(
            events.stage_finished, stage=stage, group=group, total=tally.total, ok=ok, failed=failed
        )

    def _tell_progress(self, stage: str, wave: int) -> None:
        tally, group = self._tally(stage, wave)
        self._told = self._elapsed()
        self._recorder.record(events.stage_progress, stage=stage, group=group, total=tally.total,
                              ok=len(tally.ok), failed=len(tally.failed), in_flight=len(tally.in_flight))  # fmt: skip

    def _tally(self, stage: str, wave: int) -> tuple[Tally, str]:
        return self._rollout.tally(stage, wave), self._waves[wave].name if wave >= 0 else ""


def _in(group: str) -> str:
    return f" in {group}" if group else ""
