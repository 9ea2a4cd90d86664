"""F12: every kind of error is brought about, and what is printed then is done: afterwards things are better, or the command
answers what it promises. Kinds come from the code; one that has no situation here fails."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.rollout import model
from saltdeploy.master.running.unfinished import DIED

from tests.functional.typed import of_files, of_fleets, of_hosts, of_requests
from tests.functional.typed.console import Console
from tests.functional.typed.follower import Situation, follow, kinds_in
from tests.support.repositories import Source, tree

SITUATIONS = {**of_requests.SITUATIONS, **of_hosts.SITUATIONS, **of_files.SITUATIONS}
CASES = [
    pytest.param(kind, each, id=f"{kind}: {each.__name__}")
    for kind, situations in SITUATIONS.items()
    for each in situations
]


#: Kinds whose situation takes a machine of its own, or lasts for a moment only, and the test that brings it about.
ELSEWHERE = {
    "disk-full": (
        "tests/unit/transports/test_faults.py",
        "test_a_full_disk_is_named_and_the_next_fetch_goes_on",
    ),
    "read-only": ("tests/unit/layouts/test_own_trouble.py", "test_F58_the_advice_names_the_mount"),
    "immutable": ("tests/unit/layouts/test_own_trouble.py", "test_F58_the_advice_names_the_attribute"),
    "no-permission": (
        "tests/unit/layouts/test_own_trouble.py",
        "test_an_owner_who_may_not_write_is_told_of_owner_and_mode_as_ever",
    ),
    # hosts say it to the master, which packs anew in the same stage; F54: a pin has a way from nothing
    "no-base": (
        "tests/integration/test_module.py",
        "test_F54_a_host_that_lost_its_disk_under_its_old_id_comes_back_by_itself",
    ),
    # git died of a signal: nobody knows more than it said
    "git-failed": ("tests/unit/git/test_command.py", "test_a_failure_has_gits_own_number_and_last_words"),
    "step-unknown": (
        "tests/unit/master/test_once_killed.py",
        "test_a_step_on_the_master_never_runs_twice_and_where_nobody_knows_nobody_switches",
    ),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """v3 has less than v2."""
    trees = [tree(a=str(n), b="b" * 50, **{f"more{m}": "m" for m in range(20)}) for n in range(3)]
    return Source(tmp_path_factory.mktemp("typed") / "source.git", *trees, tree(a="3"))


@pytest.fixture
def consoles(checkout: Path, tmp_path: Path, source: Source) -> Iterator[Iterator[Console]]:
    """One master and its hosts after the other, each new."""
    made: list[Console] = []

    def make() -> Iterator[Console]:
        for n in itertools.count():
            made.append(Console(checkout, tmp_path / str(n), source.copy(tmp_path / f"source{n}.git")))
            yield made[-1]

    yield make()
    for console in made:
        console.patch.undo()


@pytest.mark.parametrize(("kind", "situation"), CASES)
def test_F12_what_is_printed_leads_on(kind: str, situation: Situation, consoles: Iterator[Console]) -> None:
    for view in follow(kind, situation, consoles):
        assert kind in kinds_in(view), view


def test_F12_every_kind_of_error_has_a_situation(checkout: Path) -> None:
    assert {*SITUATIONS, *ELSEWHERE} == {cls.kind for cls in _tree(DeployError)}
    assert not {*SITUATIONS} & {*ELSEWHERE}
    for file, test in ELSEWHERE.values():
        assert f"def {test}" in (checkout / file).read_text(), (file, test)


def _tree(cls: type[DeployError]) -> Iterator[type[DeployError]]:
    """Those of the package's own list; others share a kind with one of them."""
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


@pytest.mark.parametrize(("word", "situation"), of_fleets.CASES)
def test_F12_what_an_outcome_or_a_report_prints_leads_on(
    word: str, situation: Situation, consoles: Iterator[Console]
) -> None:
    for view in follow(word, situation, consoles):
        hosts = {host.get("state") for host in view.get("hosts", {}).values()}
        assert word in {view.get("outcome"), *hosts, view.get("unfinished", {}).get("state")}, view


def test_F12_every_outcome_and_every_state_of_a_report_has_a_situation(checkout: Path) -> None:
    words = {*of_fleets.SITUATIONS}
    outcomes = {model.CONVERGED, model.HELD, model.ROLLED_BACK, model.MIXED}
    assert outcomes - words == {model.CONVERGED}, "where all is well nothing is printed to be done"
    assert of_fleets.STATES - words == {"pinned", "suspended"}, "nor where a host is as somebody wants it"
    assert DIED in words
    asks = (checkout / "tests/integration/test_advice.py").read_text()
    assert "def test_F12_the_command_while_a_deploy_waits_answers_it" in asks, "that takes two processes"
