"""A deploy and its plan give the same answer: what refuses the one is told by the other, and no host is asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.forcing import GUARDS, Force
from saltdeploy.master import deploy
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.planning import guards, plan, preview
from saltdeploy.master.records.history import History
from saltdeploy.master.records.journal import Journals, replay

from tests.support.repositories import Source, tree
from tests.unit.master.refusals import SITUATIONS
from tests.unit.master.worlds import World
from tests.unit.protocol.whole_deploys import REPO, Fleet

EACH = [
    pytest.param(guard, situation, forced, id=f"{guard}-{situation.__name__}")
    for guard, situations in SITUATIONS.items()
    for situation, forced in situations
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Decided(Exception):
    """The deploy has been decided, and would go on to pack and to ask hosts."""


def refused(world: World, monkeypatch: pytest.MonkeyPatch, *, force: Force) -> DeployError | None:
    """Why ``deploy.sync`` refuses v2, without having asked any host; None where it goes on."""

    def decided(*_: object) -> None:
        raise Decided

    monkeypatch.setattr(deploy, "pack", decided)
    request = Request(SYNC, "demo", "v2", force=force)
    try:
        deploy.run_with_dependencies(request, world.pillar, "", "20261123120000000000", world.master)
    except Decided:
        return None
    except DeployError as error:
        assert world.fleet.asked == [], "hosts were asked"
        return error
    raise AssertionError("neither refused nor decided")


def test_each_guard_has_a_situation_in_which_it_refuses() -> None:
    assert tuple(SITUATIONS) == guards.NAMES


@pytest.mark.parametrize("force", [False, True], ids=["as it is", "forced"])
@pytest.mark.parametrize(("guard", "situation", "forced"), EACH)
def test_F15_a_deploy_is_refused_for_the_reason_that_its_plan_tells(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    guard: str,
    situation: Callable[[World], None],
    forced: bool,
    force: bool,
) -> None:
    situation(world)
    error = refused(world, monkeypatch, force=force)
    caplog.set_level(logging.DEBUG, logger="saltdeploy.master.planning.guards")
    view = world.plan(force=force)
    if force and forced:
        assert (error, view["refusals"], view["retcode"]) == (None, [], 0)
        return
    assert error is not None
    assert view["refusals"] == [error.to_wire()]
    assert view["retcode"] == 1
    assert f"guard {guard!r} refuses" in caplog.text


def test_F49_the_guards_that_can_be_named_are_those_that_force_goes_past() -> None:
    forced = [guard for guard, situations in SITUATIONS.items() if any(forced for _, forced in situations)]
    assert list(GUARDS) == forced


@pytest.mark.parametrize(("guard", "situation", "forced"), EACH)
def test_F49_a_guard_that_is_forced_by_name_opens_no_other(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    guard: str,
    situation: Callable[[World], None],
    forced: bool,
) -> None:
    situation(world)
    others = tuple(name for name in GUARDS if name != guard)
    assert refused(world, monkeypatch, force=others) is not None
    assert world.plan(force=others)["retcode"] == 1
    if forced:
        assert refused(world, monkeypatch, force=(guard,)) is None
        assert world.plan(force=(guard,))["retcode"] == 0


@pytest.mark.parametrize(("guard", "situation", "forced"), EACH)
def test_a_plan_that_a_guard_refuses_takes_no_lock_and_writes_no_journal(
    world: World, guard: str, situation: Callable[[World], None], forced: bool
) -> None:
    situation(world)
    world.plan()
    there = {path.name for path in world.master.root.iterdir()}
    assert not there & {"journal", "swarms"}
    assert not list(world.master.root.glob("lock/[!.]*"))
    assert set(world.fleet.asked) == {"deploy.status", "deploy.untracked"}, (
        "hosts were asked for more than what they hold"
    )


@pytest.fixture
def plans_made(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests of which plans were made."""
    made: list[Request] = []
    make_plan = plan.make_plan

    def counting(request: Request, *arguments: Any, **options: Any) -> plan.Draft:
        made.append(request)
        return make_plan(request, *arguments, **options)

    monkeypatch.setattr(deploy, "make_plan", counting)
    monkeypatch.setattr(preview, "make_plan", counting)
    return made


def test_one_plan_is_made_for_a_deploy_and_one_to_be_looked_at(
    tmp_path: Path, plans_made: list[Request]
) -> None:
    fleet = Fleet(tmp_path, Source(tmp_path / "source", tree(file="0"), tree(file="1")))
    fleet.plan("v0")
    assert len(plans_made) == 1
    fleet.converges()
    fleet.converges()
    assert len(plans_made) == 3


def test_F08_F49_the_journal_and_the_history_tell_what_was_said_for_one_deploy(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, Source(tmp_path / "source", tree(file="0"), tree(file="1")))
    fleet.sync("v0", force=("max_removed",), overrides=(("batch", 1),))
    said = {"batch": 1, "force": "max_removed"}
    journals = Journals(fleet.root)
    begun = next(replay(journals.path(REPO, journals.latest(REPO))))
    assert (begun["event"], begun["once"]) == ("started", said)
    assert History(fleet.master.store).versions(REPO)[0]["once"] == said
