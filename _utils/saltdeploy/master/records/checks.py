"""What metric checks measured before a release was first deployed; kept until it is live everywhere.

A second try of the same release is compared with the same numbers: what the first try had broken must not have
become the measure of what is usual.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from saltdeploy import checks
from saltdeploy.checks import CheckContext, Verdict
from saltdeploy.config import Repo
from saltdeploy.config.rollout import Check
from saltdeploy.lib import durable
from saltdeploy.lib.errors import ConfigError
from saltdeploy.master.cache import BASELINES, Records, Store
from saltdeploy.master.rollout.model import (
    AFTER_FETCH,
    AFTER_WAVE,
    BEFORE_FETCH,
    BEFORE_WAVE,
    FINAL,
    Gate,
)
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.release import Release

log = logging.getLogger(__name__)


class Baselines:
    """The baselines of all releases that were begun and are not live everywhere."""

    def __init__(self, store: Store) -> None:
        self._records = Records(store, BASELINES, durable.fields(values=dict))

    def of(self, release: Release) -> dict[str, float | None]:
        """Check to number; empty for a release that was never begun. None where there was no number to be had."""
        known = self._records.get(_name(release)).get("values", {})
        return {str(check): value for check, value in known.items()}

    def keep(self, release: Release, values: dict[str, float | None]) -> None:
        """Note what was measured."""
        if values:
            self._records.put(_name(release), {"values": values})

    def forget(self, release: Release) -> None:
        """The release is what is usual now."""
        self._records.drop(_name(release))


def _name(release: Release) -> str:
    return f"{release.repo} {release.commit}"


BaselineValues = Mapping[str, float | None]

_POINTS = {
    ("before", "fetch"): BEFORE_FETCH,
    ("after", "fetch"): AFTER_FETCH,
    ("before", "checkout"): BEFORE_WAVE,
    ("before", "restart"): BEFORE_WAVE,
    ("after", "checkout"): AFTER_WAVE,
    ("after", "restart"): AFTER_WAVE,
    ("before", "final"): FINAL,
    ("after", "final"): FINAL,
}


def gates(repo: Repo, waves: tuple[Wave, ...]) -> frozenset[Gate]:
    """The gates at which this repo has something to check.

    Raises:
        ConfigError: a check of the master stands where there is no gate.
    """
    return frozenset(gate for check in _of_master(repo) for gate in _gates_of(check, repo, waves))


@dataclass(frozen=True)
class Due:
    """A check that is to be run, of which repo; and with what a metric is compared, if there is a number."""

    check: Check
    repo: str
    baseline: float | None


def at(gate: Gate, repo: Repo, waves: tuple[Wave, ...], baselines: BaselineValues) -> list[Due]:
    """The checks of one gate, in the order of the pillar."""
    return [
        Due(check, repo.name, baselines.get(check.name))
        for check in _of_master(repo)
        if gate in _gates_of(check, repo, waves)
    ]


def _of_master(repo: Repo) -> list[Check]:
    return [check for check in repo.hooks.checks if check.master]


def _gates_of(check: Check, repo: Repo, waves: tuple[Wave, ...]) -> Iterator[Gate]:
    point = _POINTS.get(("before" if check.before else "after", check.stage))
    if point is None:
        raise ConfigError(
            f"a check of the master cannot stand at {check.stage}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:checks:{check.name}",
            next="use before or after with fetch, checkout or final; or where: target",
        )
    if point not in (BEFORE_WAVE, AFTER_WAVE):
        yield Gate(point)
        return
    for position, wave in enumerate(waves):
        if check.group in ("", wave.group):
            yield Gate(point, position)


def measure(repo: Repo, place: CheckContext, known: BaselineValues) -> dict[str, float | None]:
    """The baselines of the repo's metric checks, before anything has changed; those that are known stay as they are."""
    return {
        check.name: known[check.name] if check.name in known else checks.measure(check, place)
        for check in _of_master(repo)
        if check.kind == "metric"
    }


@dataclass(frozen=True)
class Found:
    """What one check of a repo found."""

    check: Check
    repo: str
    verdict: Verdict


class Work:
    """The checks of one gate, run in a thread of their own so that the deploy can be stopped meanwhile."""

    def __init__(self, todo: Iterable[Due], place: CheckContext) -> None:
        pool = ThreadPoolExecutor(1)
        self._future: Future[list[Found]] = pool.submit(_run_all, list(todo), place)
        pool.shutdown(wait=False)

    def done(self) -> list[Found] | None:
        """What was found, up to the first check that did not pass; None while they run."""
        return self._future.result() if self._future.done() else None


def _run_all(todo: list[Due], place: CheckContext) -> list[Found]:
    found: list[Found] = []
    for due in todo:
        found.append(Found(due.check, due.repo, _run(due, place)))
        verdict = found[-1].verdict
        log.debug("%s: check %s: %s: %s", due.repo, due.check.name, verdict.word, verdict.text)
        if not verdict.ok:
            break
    return found


def _run(due: Due, place: CheckContext) -> Verdict:
    if due.check.kind == "metric":
        return checks.judge(due.check, checks.measure(due.check, place), due.baseline)
    return checks.run(due.check, place)
