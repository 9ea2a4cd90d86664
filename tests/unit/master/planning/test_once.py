"""Steps that run once in a deploy: by the master's own spine and real hosts, without Salt; whoever dies when."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import CannotUndo, ConfigError, NoTargets
from saltdeploy.master import deploy
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import ROLLBACK

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet

HOSTS = ("web1", "web2")


class Killed(BaseException):
    """The master's process was killed: nobody catches this."""


class Killer:
    """A watcher that kills the deploy at an event, once."""

    def __init__(self, event: str) -> None:
        self._event, self._done = event, False

    def hear(self, event: events.Event) -> None:
        if event["event"] == self._event and not self._done:
            self._done = True
            raise Killed

    def tick(self, now: float) -> None:
        """Time does nothing here."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(index=str(n), VERSION=str(n)) for n in range(4)]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where each step writes down that it ran, and what it was told."""
    return tmp_path / "notes"


@pytest.fixture
def made(tmp_path: Path, source: Source) -> Callable[..., Fleet]:
    """A fleet that runs v0, with these steps from now on."""

    def make(*steps: dict[str, Any], **keys: Any) -> Fleet:
        return Fleet(tmp_path, source, hosts=HOSTS, once=list(steps), **keys)

    return make


def step(notes: Path, name: str = "migrate", *, ends: int = 0, **more: Any) -> dict[str, Any]:
    """A step that writes a line, and ends so."""
    point = {} if "after" in more else {"before": "checkout"}
    return {"name": name, "command": writes(notes, name, ends), **point, **more}


def writes(notes: Path, name: str, ends: int = 0) -> list[str]:
    line = (
        f'echo "{name} $DEPLOY_TAG $DEPLOY_PREVIOUS_TAG $(cat VERSION 2>/dev/null)" >> {notes}; exit {ends}'
    )
    return ["sh", "-c", line]


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def told(fleet: Fleet, kind: str) -> list[events.Event]:
    """The events of the newest deploy."""
    journals = Journals(fleet.root)
    path = journals.path(REPO, journals.latest(REPO))
    return [event for event in replay(path) if event["event"] == kind]


def killed(fleet: Fleet, watcher: Any, tag: str = "v1") -> str:
    """A deploy whose process dies; its id."""
    master = dataclasses.replace(fleet.master, watchers=(watcher,))
    with pytest.raises(Killed):
        deploy.run(Request(SYNC, REPO, tag), fleet.pillar, "", fleet.new_jid(), master)
    return Journals(fleet.root).latest(REPO)


def resumed(fleet: Fleet, which: str) -> deploy.Report:
    return deploy.resume(which, fleet.pillar, "", fleet.master)


ON_A_HOST, ON_THE_MASTER = {"where": "first"}, {"where": "master"}
PLACES = pytest.mark.parametrize("place", [ON_A_HOST, ON_THE_MASTER], ids=["on a host", "on the master"])


@PLACES
def test_a_step_runs_once_before_any_host_switches(made, notes: Path, place: dict[str, str]) -> None:
    fleet = made(step(notes, **place))
    fleet.sync("v0")
    fleet.sync("v1")
    found = lines(notes)
    assert [line.split()[:2] for line in found] == [["migrate", "v0"], ["migrate", "v1"]]
    (finished,) = told(fleet, events.STEP_FINISHED)
    (switched,) = [event for event in told(fleet, events.ASKED) if event["stage"] == "checkout"]
    assert finished["time"] <= switched["time"]
    assert (finished["state"], finished["on"]) == ("done", "web1" if place == ON_A_HOST else "")


def test_a_step_on_a_host_runs_in_the_tree_of_the_release_that_is_not_live_yet(made, notes: Path) -> None:
    fleet = made(step(notes, where="first"))
    fleet.sync("v0")
    fleet.sync("v1")
    assert lines(notes) == ["migrate v0  0", "migrate v1 v0 1"]


@pytest.mark.parametrize(
    ("where", "host"), [("first", "web1"), ("first of late", "web2"), ("web*", "web1"), (None, "")]
)
def test_a_step_runs_where_the_pillar_says(made, notes: Path, where: str | None, host: str) -> None:
    groups = [{"name": "early", "targets": "web1"}, {"name": "late"}]
    fleet = made(step(notes, **({"where": where} if where else {})), groups=groups)
    fleet.master = dataclasses.replace(
        fleet.master, targets=lambda expression, kind: ["web1"] if expression == "web1" else list(HOSTS)
    )
    fleet.sync("v0")
    assert told(fleet, events.STEP_STARTED)[0]["on"] == host


def test_steps_run_in_their_order_around_the_switch(made, notes: Path) -> None:
    fleet = made(step(notes, "late", after="checkout"), step(notes, "one"), step(notes, "two"))
    fleet.sync("v0")
    assert [line.split()[0] for line in lines(notes)] == ["one", "two", "late"]


def test_nothing_runs_where_every_host_has_the_release_nor_in_a_fetch(made, notes: Path) -> None:
    fleet = made(step(notes))
    deploy.run(Request("fetch", REPO, "v0"), fleet.pillar, "", fleet.new_jid(), fleet.master)
    assert lines(notes) == []
    fleet.sync("v0")
    fleet.sync("v0")
    assert len(lines(notes)) == 1


# -- whoever dies when ----------------------------------------------------------------------------------------


@PLACES
def test_killed_before_the_barrier_the_step_runs_once_when_resumed(made, notes: Path, place) -> None:
    fleet = made(step(notes, **place))
    which = killed(fleet, Killer(events.HOST_FINISHED), "v0")
    assert lines(notes) == []
    assert resumed(fleet, which).outcome.word == "CONVERGED"
    assert len(lines(notes)) == 1


def test_killed_before_a_host_has_heard_of_its_step_it_is_asked_and_runs_it(made, notes: Path) -> None:
    fleet = made(step(notes, where="first"))
    which = killed(fleet, Killer(events.STEP_STARTED), "v0")
    assert lines(notes) == []
    assert resumed(fleet, which).outcome.word == "CONVERGED"
    assert len(lines(notes)) == 1


def test_killed_before_the_masters_own_step_nobody_can_tell_and_an_operator_is_asked(
    made, notes: Path
) -> None:
    fleet = made(step(notes))
    which = killed(fleet, Killer(events.STEP_STARTED), "v0")
    OperatorSignals(fleet.root, REPO, which).answer("q1", "amir", "retry")
    assert resumed(fleet, which).outcome.word == "CONVERGED"
    (question,) = told(fleet, events.QUESTION)
    assert "not known whether step migrate was done on the master" in question["text"]
    assert question["choices"] == ["retry", "continue", "rollback", "hold"]
    assert len(lines(notes)) == 1


def test_killed_while_a_host_runs_its_step_its_answer_is_asked_for_and_nothing_runs_twice(
    made, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = made(step(notes, where="first"))
    do = fleet.minions["web1"].do

    def once(function: str, arguments: list[Any], jid: str) -> dict[str, Any]:
        answer = do(function, arguments, jid)
        if function == "deploy.once":
            monkeypatch.undo()
            raise Killed
        return answer

    monkeypatch.setattr(fleet.minions["web1"], "do", once)
    which = killed(fleet, Killer("nothing"), "v0")
    assert len(lines(notes)) == 1
    assert resumed(fleet, which).outcome.word == "CONVERGED"
    assert len(lines(notes)) == 1


@pytest.mark.component("a process that deploys and is killed")
def test_killed_while_its_own_step_runs_it_is_never_run_again_by_itself(made, notes: Path) -> None:
    slow = {
        "name": "migrate",
        "before": "checkout",
        "command": ["sh", "-c", f"echo ran >> {notes}; sleep 0.3"],
    }
    fleet = made(slow)

    class Later(Killer):
        def tick(self, now: float) -> None:
            if not self._done and lines(notes):
                self._done = True
                raise Killed

    which = killed(fleet, Later("nothing"), "v0")
    report = resumed(fleet, which)  # it waits until what still runs has ended; nobody answers the question
    assert (report.outcome.word, report.outcome.ok) == ("HELD", 2)
    assert "not known whether step migrate was done on the master" in report.outcome.reason
    assert "no host has switched" in report.outcome.reason
    assert "nothing has changed" not in report.outcome.reason
    assert lines(notes) == ["ran"]


@PLACES
def test_killed_after_the_step_it_is_not_run_again(made, notes: Path, place) -> None:
    fleet = made(step(notes, **place))
    which = killed(fleet, Killer(events.STEP_FINISHED), "v0")
    assert resumed(fleet, which).outcome.word == "CONVERGED"
    assert len(lines(notes)) == 1


def test_a_step_that_an_operator_says_is_done_is_done(made, notes: Path) -> None:
    fleet = made(step(notes))
    which = killed(fleet, Killer(events.STEP_STARTED), "v0")
    OperatorSignals(fleet.root, REPO, which).answer("q1", "amir", "continue")
    assert resumed(fleet, which).outcome.word == "CONVERGED"
    assert lines(notes) == []


# -- what goes wrong ------------------------------------------------------------------------------------------


@PLACES
def test_a_step_that_fails_holds_the_deploy_before_anybody_switches(made, notes: Path, place) -> None:
    fleet = made(step(notes, ends=3, **place))
    report = fleet.sync("v0")
    assert report.outcome.word == "HELD"
    assert "step migrate failed on" in report.outcome.reason
    assert "(exit code 3)" in report.outcome.reason
    assert "no host has switched" in report.outcome.reason
    assert not fleet.minions["web1"].location.exists()


def test_a_step_behind_the_switch_that_fails_takes_all_hosts_back_and_undoes_those_before(
    made, notes: Path
) -> None:
    fleet = made(step(notes, "migrate", undo=writes(notes, "undo"), where="first"))
    fleet.sync("v0")
    fleet._keys["once"] = fleet.pillar["repo_config"][REPO]["once"] = [
        step(notes, "migrate", undo=writes(notes, "undo"), where="first"),
        step(notes, "warm", after="checkout", ends=1),
    ]
    for minion in fleet.minions.values():
        minion.repo = fleet.config(minion.location)
    report = fleet.sync("v1")
    assert (report.outcome.word, report.outcome.ok) == ("ROLLED BACK", 2)
    assert "step migrate was done on web1 and undone" in report.outcome.reason
    assert lines(notes)[1:] == ["migrate v1 v0 1", "warm v1 v0 ", "undo v0 v1 1"]


def test_what_cannot_be_undone_stands_in_the_plan_in_the_outcome_and_first_in_a_roll_back(
    made, notes: Path
) -> None:
    fleet = made(step(notes, where="first"))
    fleet.sync("v0")
    remarks = fleet.plan("v1")["remarks"]
    assert any("Once, before the checkout, on web1 (first): migrate" in text for text in remarks)
    assert any("It cannot be undone" in text for text in remarks)
    assert "step migrate was done on web1 and cannot be undone" in fleet.sync("v1").outcome.reason
    assert fleet.roll_back().outcome.word == "CONVERGED"
    assert told(fleet, events.WARNED)[0]["text"] == "cannot be undone: step migrate was done with v1 on web1"
    assert len(lines(notes)) == 2


def test_a_roll_back_by_command_undoes_what_the_releases_did_that_it_leaves(made, notes: Path) -> None:
    fleet = made(step(notes, where="first", undo=writes(notes, "undo")))
    for tag in ("v0", "v1", "v2"):
        fleet.sync(tag)
    assert fleet.roll_back("v0").outcome.word == "CONVERGED"
    assert lines(notes)[3:] == ["undo v0 v2 2"], "once for all of them, in the tree that is left"
    assert fleet.roll_back("v1").outcome.word == "CONVERGED", "it goes forth: there is nothing to undo"
    assert len(lines(notes)) == 4


def test_undoing_that_fails_stops_no_roll_back_and_is_said(made, notes: Path) -> None:
    fleet = made(step(notes, where="first", undo=writes(notes, "undo", ends=4)))
    fleet.sync("v0")
    fleet.sync("v1")
    report = fleet.roll_back()
    assert report.outcome.word == "CONVERGED"
    assert "the undoing of step migrate failed on web1" in report.outcome.reason


def test_a_step_that_refuses_a_roll_back_refuses_it_before_any_host_is_asked(made, notes: Path) -> None:
    fleet = made(step(notes, where="first", rollback="refuse"))
    fleet.sync("v0")
    fleet.sync("v1")
    count = len(Journals(fleet.root).all(REPO))
    with pytest.raises(CannotUndo, match="step migrate was done with v1 on web1"):
        fleet.roll_back()
    assert len(Journals(fleet.root).all(REPO)) == count
    forced = Request(ROLLBACK, REPO, "", force=("once",))
    assert fleet._run(forced).outcome.word == "CONVERGED"


def test_a_step_that_refuses_turns_the_automatic_way_back_into_a_hold(made, notes: Path) -> None:
    check = {"type": "command", "after": "restart", "command": ["grep", "0", "VERSION"]}
    fleet = made(step(notes, where="first", rollback="refuse"), checks={"version": check})
    fleet.sync("v0")
    report = fleet.sync("v1")
    assert report.outcome.word == "MIXED", "hosts show the release: that is what is true"
    assert "the roll back is refused: step migrate was done on web1" in report.outcome.reason
    assert not [event for event in told(fleet, events.ASKED) if event["stage"] == "rollback"]


def test_where_nobody_has_switched_a_refused_way_back_is_held(made, notes: Path) -> None:
    refuses, fails = step(notes, where="first", rollback="refuse"), step(notes, "second", ends=1)
    report = made(refuses, fails).sync("v0")
    assert report.outcome.word == "HELD"
    assert "step migrate was done on web1 and cannot be undone" in report.outcome.reason
    assert "no host has switched" in report.outcome.reason


def test_an_abort_lets_the_step_end_and_switches_nobody(made, notes: Path) -> None:
    slow = {
        "name": "migrate",
        "before": "checkout",
        "command": ["sh", "-c", f"echo ran >> {notes}; sleep 0.2"],
    }
    fleet = made(slow)
    said = itertools.chain([""] * 8, itertools.repeat("Ctrl-C"))
    master = dataclasses.replace(fleet.master, aborted=lambda: next(said) if lines(notes) else "")
    report = deploy.run(Request(SYNC, REPO, "v0"), fleet.pillar, "", fleet.new_jid(), master)
    assert report.outcome.word == "HELD"
    assert (
        "Ctrl-C; step migrate was done on the master and cannot be undone; no host has switched"
        in report.outcome.reason
    )


# -- what is refused ------------------------------------------------------------------------------------------


def test_a_step_for_a_group_that_the_deploy_leaves_out_is_refused(made, notes: Path) -> None:
    groups = [{"name": "early", "targets": "web1"}, {"name": "late"}]
    fleet = made(step(notes, where="first of late"), groups=groups)
    fleet.master = dataclasses.replace(
        fleet.master, targets=lambda expression, kind: ["web1"] if expression == "web1" else list(HOSTS)
    )
    with pytest.raises(NoTargets, match="step migrate is to run on first of late"):
        fleet.sync("v0", limit="early")


WRONG: Iterable[tuple[dict[str, Any], str]] = (
    ({}, "needs name"),
    ({"name": "a"}, "needs command"),
    ({"name": "a", "command": "x"}, "needs one of before and after"),
    ({"name": "a", "command": "x", "before": "checkout", "after": "checkout"}, "needs one of"),
    ({"name": "a", "command": "x", "before": "fetch"}, "must be one of checkout"),
    ({"name": "a", "command": "x", "before": "checkout", "rollback": "maybe"}, "must be one of refuse"),
    ({"name": "a", "command": "x", "before": "checkout", "where": "first of none"}, "there is no group none"),
)


@pytest.mark.parametrize(("entry", "why"), WRONG)
def test_a_step_that_is_written_wrong_is_refused_with_its_place(
    made, entry: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as raised:
        made(entry)
    assert raised.value.path.startswith("repo_config:demo/site:once:0")


@pytest.mark.parametrize("key", [True, "true", "on", "where"])
def test_the_place_may_be_written_as_on_which_yaml_reads_as_true(made, notes: Path, key: Any) -> None:
    fleet = made(step(notes, **{}) | {key: "first"})
    assert fleet.minions["web1"].repo.hooks.once[0].where == "first"
