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
from saltdeploy.trebuchet.refusal import Refusal

from tests.functional.typed import of_files, of_fleets, of_hosts, of_requests
from tests.functional.typed.console import Console
from tests.functional.typed.follower import Situation, follow, kinds_in
from tests.functional.typed.reader import ways
from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO

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
    # what ``git deploy`` says in Trigger's words, with the next command of the error behind it
    "git-deploy": (
        "tests/unit/trebuchet/test_staging.py",
        "test_a_second_one_is_refused_and_is_told_whose_the_first_is",
    ),
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
    assert issubclass(Refusal, DeployError), "it is loaded, whatever else this process has loaded"
    ours = {cls.kind for cls in _tree(DeployError) if cls.__module__.startswith("saltdeploy.")}
    assert {*SITUATIONS, *ELSEWHERE} == ours
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


@pytest.mark.parametrize("function", ["abort", "export", "log", "resume", "show", "story"])
def test_a_repo_that_was_mistyped_is_told_as_that_and_not_as_one_that_was_never_deployed(
    consoles: Iterator[Console], function: str
) -> None:
    view = next(consoles).run(function, repo="demo/sit")
    assert view["error"]["kind"] == "unknown-repo"
    assert "did you mean demo/site?" in view["error"]["next"]


def test_nothing_that_there_is_not_is_locked(consoles: Iterator[Console]) -> None:
    """Whoever believes to have locked something lets a deploy go out that is not to."""
    at = next(consoles)
    assert at.run("lock", repo="demo/sit", reason="r")["error"]["kind"] == "unknown-repo"
    none = at.run("lock", repo=REPO, group="canary", reason="r")["error"]
    assert none["cause"] == "it has no group canary; it has no groups at all"
    at.configure(groups=[{"name": "canary", "targets": "web1"}, {"name": "rest"}])
    wrong = at.run("lock", repo=REPO, group="canari", reason="r")["error"]
    assert wrong["cause"] == "it has no group canari; its groups are canary, rest"
    assert at.run("lock", repo=REPO, group="canary", reason="r")["retcode"] == 0
    at.fleet.pillar["repo_config"][REPO]["layout"] = "slotz"
    assert at.run("lock", repo=REPO, reason="the pillar is broken, and nobody shall deploy")["retcode"] == 0


def test_who_suspends_a_host_that_there_is_not_is_told_so(consoles: Iterator[Console]) -> None:
    """The host that was meant takes part in the next deploy."""
    at = next(consoles)
    keys = Path(at.opts["pki_dir"], "minions")
    keys.mkdir(parents=True)
    (keys / "web7").write_text("a key\n")
    view = at.run("suspend", host="web77", reason="its disk")
    assert "this master has no minion web77; did you mean web7?" in at.shown(view)
    (undo,) = ways(at.next_of(view))[0]
    assert at.type(list(undo.words))["retcode"] == 0
    assert "no minion" not in at.shown(at.run("suspend", host="web7", reason="its disk"))
