"""The checks that the master itself runs, at the gates of a rollout; see docs/checks.md for what they stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from saltdeploy import checks
from saltdeploy.checks import Place, Verdict
from saltdeploy.config import Repo
from saltdeploy.errors import ConfigError
from saltdeploy.master.instructions import AFTER_FETCH, AFTER_WAVE, BEFORE_FETCH, BEFORE_WAVE, FINAL, Gate
from saltdeploy.master.waves import Wave
from saltdeploy.policy import Check

Baselines = Mapping[str, float | None]

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


def at(gate: Gate, repo: Repo, waves: tuple[Wave, ...], baselines: Baselines) -> list[Due]:
    """The checks of one gate, in the order of the pillar."""
    return [
        Due(check, repo.name, baselines.get(check.name))
        for check in _of_master(repo)
        if gate in _gates_of(check, repo, waves)
    ]


def _of_master(repo: Repo) -> list[Check]:
    return [check for check in repo.checks if check.master]


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


def measure(repo: Repo, place: Place, known: Baselines) -> dict[str, float | None]:
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

    def __init__(self, todo: Iterable[Due], place: Place) -> None:
        pool = ThreadPoolExecutor(1)
        self._future: Future[list[Found]] = pool.submit(_run_all, list(todo), place)
        pool.shutdown(wait=False)

    def done(self) -> list[Found] | None:
        """What was found, up to the first check that did not pass; None while they run."""
        return self._future.result() if self._future.done() else None


def _run_all(todo: list[Due], place: Place) -> list[Found]:
    found: list[Found] = []
    for due in todo:
        found.append(Found(due.check, due.repo, _run(due, place)))
        if not found[-1].verdict.ok:
            break
    return found


def _run(due: Due, place: Place) -> Verdict:
    if due.check.kind == "metric":
        return checks.judge(due.check, checks.measure(due.check, place), due.baseline)
    return checks.run(due.check, place)
