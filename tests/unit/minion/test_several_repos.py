"""Several repos that are deployed as one: one fetch, one switch, one answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import Fenced
from saltdeploy.minion import checks as minion_checks
from saltdeploy.minion import stages
from saltdeploy.minion.context import Task
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK
from saltdeploy.protocol.result import Result, authentic

from tests.support.repositories import Source, tree
from tests.support.targets import Target

BOTH = ("demo", "l10n")


class Pair:
    """A host that takes ``demo`` and ``l10n``, both with the same releases. ``happened``: what it did, in order."""

    def __init__(self, place: Path, source: Source, **keys: Any) -> None:
        self.target = Target(place, source)
        self.host = self.target.host
        self.place = place
        self.happened = place / "happened"
        self._deploys = 0
        self.repos = {
            name: config.load(
                {"repo_config": {name: {"location": str(place / "srv" / name), **self.usual(name), **keys}}},
                name,
            )
            for name in BOTH
        }

    def usual(self, name: str) -> dict[str, Any]:
        """Each writes down what is live of both, whenever something of its own happens."""
        return {
            "service_name": "apache2",
            "depool": self.says(f"depool {name}"),
            "repool": self.says(f"repool {name}"),
            "checks": {
                "files": {**self.says(f"files {name}"), "before": "restart"},
                "well": {**self.says(f"well {name}"), "after": "restart"},
            },
        }

    def says(self, what: str) -> dict[str, Any]:
        """The keys of a check that fails where there is a file of its name."""
        script = (
            'echo "$1: $(cat "$2/demo/a" "$2/l10n/a" 2>/dev/null | tr "\\n" " ")" >> "$3"; test ! -e "$4"'
        )
        fails = self.place / what.replace(" ", "-")
        srv = str(self.place / "srv")
        return {"command": ["/bin/sh", "-c", script, "sh", what, srv, str(self.happened), str(fails)]}

    def fails(self, what: str) -> Path:
        """From now on this check fails."""
        mark = self.place / what.replace(" ", "-")
        mark.touch()
        return mark

    def run(self, stage: str, numbers: dict[str, int], deploy: int, epochs: dict[str, int] = {}) -> Result:  # noqa: B006
        tasks = []
        for name, number in numbers.items():
            order = self.target.order(number, stage, deploy=deploy, epoch=epochs.get(name, 1))
            order = dataclasses.replace(order, release=self.target.source.release(number, repo=name))
            tasks.append(Task(order, self.repos[name]))
        return stages.run(tasks, self.host)

    def deploy(self, **numbers: int) -> Result:
        """Fetch and check out; the answer to the checkout."""
        self._deploys += 1
        fetched = self.run(FETCH, numbers, self._deploys)
        assert fetched.ok, fetched.error
        self.happened.unlink(missing_ok=True)
        return self.run(CHECKOUT, numbers, self._deploys)

    def live(self) -> dict[str, str]:
        found = {}
        for name in BOTH:
            file = self.place / "srv" / name / "a"
            found[name] = file.read_text() if file.exists() else ""
        return found

    def told(self) -> list[str]:
        return [line.strip() for line in self.happened.read_text().splitlines()]


@pytest.fixture
def pair(tmp_path: Path, source: Source) -> Pair:
    """Both repos are at v0."""
    pair = Pair(tmp_path, source)
    assert pair.deploy(demo=0, l10n=0).ok
    return pair


def test_both_are_switched_before_anything_is_restarted(pair: Pair) -> None:
    done = pair.deploy(demo=1, l10n=2)
    assert done.ok
    assert pair.live() == {"demo": "1", "l10n": "2"}
    assert pair.told() == [
        "depool demo: 00",
        "depool l10n: 00",
        "files demo: 12",
        "files l10n: 12",
        "well demo: 12",
        "well l10n: 12",
        "repool demo: 12",
        "repool l10n: 12",
    ]


def test_a_service_of_both_is_restarted_once(pair: Pair) -> None:
    before = len(pair.target.calls)
    assert pair.deploy(demo=1, l10n=1).ok
    assert pair.target.calls[before:] == [("service.restart", ["apache2"])]


def test_F22_what_each_release_does_at_promote_is_done_for_both_before_anything_is_restarted(
    tmp_path: Path,
) -> None:
    (tmp_path / "nrpe.cfg").write_text("command[up]=true\n")
    checks = f"""checks:
  up: {{type: nrpe, stage: promote, command: up, nrpe_dir: {tmp_path}}}
  venv: {{stage: promote, command: 'true'}}"""
    source = Source(tmp_path / "source.git", tree(**{"a": "0", "scap/checks.yaml": checks}))
    done = Pair(tmp_path, source, depool=None, repool=None, checks={}).deploy(demo=0, l10n=0)
    assert done.ok
    assert [(step["step"], step["repo"]) for step in done.facts["steps"]][-7:] == [
        ("check venv", "demo"),
        ("check venv", "l10n"),
        ("restart apache2", "demo"),
        ("check up", "demo"),
        ("check up", "l10n"),
        ("settle", "demo"),
        ("settle", "l10n"),
    ]


def test_the_answer_tells_of_each_repo(pair: Pair) -> None:
    done = pair.deploy(demo=1, l10n=2)
    found = {part.repo: (part.tag, part.holdings.tags[part.holdings.live]) for part in done.parts}
    assert found == {"demo": ("v1", "v1"), "l10n": ("v2", "v2")}
    again = authentic(done.to_wire("secret"), "web1", "secret")
    assert [part.holdings for part in again.parts] == [part.holdings for part in done.parts]


def test_an_answer_about_one_repo_is_what_it_always_was(pair: Pair) -> None:
    assert "also" not in pair.deploy(demo=1).to_wire()


def test_nothing_is_switched_when_one_of_them_cannot_be_prepared(pair: Pair) -> None:
    pair.target.carrier.spoil = lambda path: path.write_bytes(b"rubbish")
    failed = pair.run(FETCH, {"demo": 0, "l10n": 5}, 9)
    assert failed.error is not None
    assert failed.error.repo == "l10n"
    assert pair.live() == {"demo": "0", "l10n": "0"}


@pytest.mark.parametrize("what", ["files l10n", "well l10n"])
def test_what_fails_for_one_is_a_failure_of_the_whole_and_both_go_back(pair: Pair, what: str) -> None:
    mark = pair.fails(what)
    failed = pair.deploy(demo=1, l10n=1)
    assert failed.error is not None
    assert failed.error.repo == "l10n"
    assert "depooled" in failed.error.cause
    mark.unlink()
    back = pair.run(ROLLBACK, {"demo": 0, "l10n": 0}, 2)
    assert back.ok
    assert pair.live() == {"demo": "0", "l10n": "0"}
    assert [step["step"] for step in back.facts["steps"]].count("flip") == 2


def test_one_that_runs_its_release_already_is_left_alone(pair: Pair) -> None:
    assert pair.deploy(demo=0, l10n=1).ok
    assert pair.live() == {"demo": "0", "l10n": "1"}
    assert all("demo" not in line.split(":")[0] for line in pair.told())


def test_a_stage_that_is_asked_for_again_is_not_done_again(pair: Pair) -> None:
    first = pair.deploy(demo=1, l10n=2)
    told = pair.told()
    again = pair.run(CHECKOUT, {"demo": 1, "l10n": 2}, 2)
    assert again.to_wire() == first.to_wire()
    assert pair.told() == told


def test_an_order_that_is_late_for_one_of_them_changes_neither(pair: Pair) -> None:
    numbers = {"demo": 1, "l10n": 1}
    assert pair.run(FETCH, numbers, 5, {"l10n": 7}).ok
    late = pair.run(CHECKOUT, numbers, 6, {"demo": 9, "l10n": 6})
    assert isinstance(late.error, Fenced)
    assert pair.live() == {"demo": "0", "l10n": "0"}


@pytest.mark.parametrize("killed_at", ["files demo", "well l10n"])
def test_a_host_that_died_in_the_switch_finishes_it_when_asked_again(
    pair: Pair, killed_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens up to the kill is real; the process of this test stands for the one that is killed."""
    numbers = {"demo": 1, "l10n": 1}
    assert pair.run(FETCH, numbers, 7).ok
    dies: Callable[..., Any] = minion_checks.checks.run

    def run(check: Any, place: Any) -> Any:
        if check.options and killed_at in str(check.options):
            raise KeyboardInterrupt
        return dies(check, place)

    monkeypatch.setattr(minion_checks.checks, "run", run)
    with pytest.raises(KeyboardInterrupt):
        pair.run(CHECKOUT, numbers, 7)
    monkeypatch.undo()
    pair.happened.unlink(missing_ok=True)
    assert pair.run(CHECKOUT, numbers, 7).ok
    assert pair.live() == {"demo": "1", "l10n": "1"}
    assert {"well demo: 11", "well l10n: 11"} <= set(pair.told())


def test_what_was_fetched_last_is_noted_for_each_repo(pair: Pair) -> None:
    """The answer is kept with the first of them; who frees space must know it of each."""
    assert pair.run(FETCH, {"demo": 1, "l10n": 2}, 77).ok
    fetched = {name: Record(pair.host.cache, name).fetched() for name in BOTH}
    assert fetched == {"demo": pair.target.source.tag(1).commit, "l10n": pair.target.source.tag(2).commit}
