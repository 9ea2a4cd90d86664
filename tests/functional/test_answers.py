"""``salt-run deploy.answer`` through Salt's real loader, with arguments as Salt's command line reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.utils.args
from saltdeploy.master.plan_model import Part, Plan
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release

REPO, DEPLOY, NOW = "mediawiki", "20261123101112000000", 1795428672.0
RELEASE = Release(REPO, "release/2026-11-23/1", "a" * 40)
WAVES = (Wave("", "", ("web1",), 1, 0),)
PART = Part(Order(DEPLOY, 1, FETCH, RELEASE), ("web1",))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The master's directory, with a deploy that waits at the barrier."""
    script = Plan("sync", "alice", "", (PART,), WAVES, Rules(confirm=True))
    with Journals(tmp_path / "deploy").write(REPO, DEPLOY) as journal:
        journal.append(events.planned(DEPLOY, REPO, NOW, script=script.to_wire()))
        journal.append(events.asked(DEPLOY, REPO, NOW, stage=FETCH, wave=-1, hosts=["web1"]))
        journal.append(
            events.host_finished(
                DEPLOY,
                REPO,
                NOW,
                host="web1",
                stage=FETCH,
                status=0,
                error=None,
                facts={},
                live="",
                live_tag="",
            )
        )
    return tmp_path / "deploy"


@pytest.fixture
def answer(place: Path, checkout: Path) -> Callable[[str], dict[str, Any]]:
    here = {
        "cachedir": str(place.parent),
        "extension_modules": str(place.parent / "extmods"),
        "id": "master1",
    }
    file = place.parent / "master"
    file.write_text(json.dumps({**here, "module_dirs": [str(checkout)]}))  # JSON is YAML
    opts = salt.config.master_config(str(file))

    def run(typed: str) -> dict[str, Any]:
        *positional, named = salt.utils.args.parse_input([typed, f"id={DEPLOY}"])
        named.pop("__kwarg__")
        result: dict[str, Any] = salt.loader.runner(opts)["deploy.answer"](*positional, **named)
        return result

    return run


@pytest.mark.parametrize("choice", ["yes", "no", "retry"])
def test_each_choice_of_a_question_can_be_typed(
    choice: str, answer: Callable[[str], dict[str, Any]], place: Path
) -> None:
    assert answer(choice)["retcode"] == 0
    said = OperatorSignals(place, REPO, DEPLOY).answered("q1")
    assert said is not None
    assert said.text == choice


def test_of_two_answers_the_first_counts(answer: Callable[[str], dict[str, Any]], place: Path) -> None:
    assert [answer(choice)["counted"] for choice in ("no", "yes")] == [True, False]
    said = OperatorSignals(place, REPO, DEPLOY).answered("q1")
    assert said is not None
    assert said.text == "no"


def test_what_is_no_choice_is_refused_with_the_choices(answer: Callable[[str], dict[str, Any]]) -> None:
    refused = answer("perhaps")
    assert refused["retcode"] == 1
    assert refused["error"]["cause"] == "the choices are yes, no, retry"
