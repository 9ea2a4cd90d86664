"""What Salt's own log says of a stage: that it begins, how it ends, and where a fault of ours came from."""

from __future__ import annotations

import logging

import pytest
from saltdeploy.minion import fetch, stages
from saltdeploy.minion.context import Task
from saltdeploy.protocol.orders import CHECKOUT, FETCH

from tests.support.targets import Target


def test_a_stage_says_that_it_begins_and_how_it_ends(host: Target, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "saltdeploy")
    stages.run([Task(host.order(1, FETCH, deploy=7), host.repo)], host.host)
    stages.run([Task(host.order(0, CHECKOUT, deploy=7), host.repo)], host.host)
    said = [record.getMessage() for record in caplog.records if record.name == stages.__name__]
    assert [text.split(" (")[0] for text in said] == ["fetch of demo v1"] * 2 + ["checkout of demo v0"] * 2
    assert ": done after " in said[1]
    assert "fetch it first" in said[3]


def test_a_fault_of_ours_is_an_answer_and_leaves_its_traceback(
    host: Target, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(fetch, "_fetch_one", fail)
    answer = stages.run([Task(host.order(1, FETCH), host.repo)], host.host)
    assert answer.error is not None and "KeyError" in answer.error.cause
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]
