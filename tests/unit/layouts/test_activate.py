"""How a release becomes live: the one switch of the link, what is remembered with it, and the line in the log."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config.layouts import LAYOUTS
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import Slot, TreeState
from saltdeploy.lib import disk

from tests.support.repositories import Source, deploy, prepare, repo, tree

RELEASES = [tree(a=str(n)) for n in range(3)]
LOGGER = "saltdeploy.layouts.activate"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *RELEASES)


@pytest.fixture(params=["slots", "releases", "inplace"])
def layout(request: pytest.FixtureRequest, location: Path) -> Any:
    return layouts.of(repo(location, layout=request.param))


def test_an_activation_is_one_line_of_the_log_that_names_both_releases(
    layout: Any, source: Source, location: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    first, second = (record.getMessage() for record in caplog.records if record.name == LOGGER)
    assert str(location) in first and source.tag(0).name in first and first.endswith("before: nothing")
    assert source.tag(1).name in second
    assert second.endswith((source.tag(0).name, source.tag(0).commit))


def test_a_release_that_is_live_already_is_not_activated_again(
    layout: Any, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    deploy(layout, source, 0)
    caplog.set_level(logging.INFO, LOGGER)
    caplog.clear()
    layout.activate(source.release(0))
    assert not [record for record in caplog.records if record.name == LOGGER]


@pytest.mark.parametrize("name", ["slots", "releases"])
def test_the_tree_that_was_live_is_remembered_before_the_link_is_switched(
    name: str, source: Source, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layouts.of(repo(location, layout=name))
    deploy(layout, source, 0)
    prepare(layout, source, 1)
    link = os.readlink(location)

    def killed(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(disk, "switch_link", killed)
    with pytest.raises(KeyboardInterrupt):
        layout.activate(source.release(1), back=True)
    monkeypatch.undo()
    assert os.readlink(location) == link
    layout.activate(source.release(1))
    assert layout.holdings().live == source.tag(1).commit
    assert layout.holdings().previous == ""  # it was rolled back, and nobody goes back to it


def test_generations_number_the_activations(source: Source, location: Path) -> None:
    layout = layouts.of(repo(location))
    for number in (0, 1, 2):
        deploy(layout, source, number)
    records = Path(f"{location.parent}/.{location.name}.deploy/slots").glob("*.json")
    assert sorted(json.loads(record.read_text())["turn"] for record in records) == [1, 2, 3]


def test_a_state_keeps_its_names_on_disk(tmp_path: Path) -> None:
    slot = Slot(tmp_path / "0")
    slot.note(TreeState("1" * 40, "v1", ("2" * 40,), 7, suspect=True, bad=True, shape="", root="3" * 64))
    assert json.loads((tmp_path / "0.json").read_text()) == {
        "commit": "1" * 40, "tag": "v1", "towards": ["2" * 40], "turn": 7, "doubted": True, "bad": True, "shape": "",
        "root": "3" * 64,
    }  # fmt: skip


def test_a_suspect_live_tree_does_not_count_while_a_sound_one_waits(tmp_path: Path) -> None:
    one, other = Slot(tmp_path / "0"), Slot(tmp_path / "1")
    states = {one: TreeState("1" * 40, generation=2, suspect=True), other: TreeState("1" * 40)}
    assert Selection(states, one).live_commit() == ""
    assert Selection(states, one).holding("1" * 40) == [other, one]


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_that_the_pillar_may_name_has_a_class(name: str, location: Path) -> None:
    traits = LAYOUTS[name]
    layout = layouts.of(repo(location, layout=name, transport="bundle"))
    assert layout.holdings().live == ""
    assert traits.shapes
    assert (layout.trees is None) == (
        traits.shapes == {"objects"}
    )  # nothing to put commits and trees apart in
