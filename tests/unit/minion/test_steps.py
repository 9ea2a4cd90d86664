"""What a host tells while it does one step after the other."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from saltdeploy.lib import process
from saltdeploy.minion import steps as module
from saltdeploy.minion.progress import Reporter
from saltdeploy.minion.steps import Step, Steps
from saltdeploy.protocol.orders import CHECKOUT, Order
from saltdeploy.protocol.release import Release

ORDER = Order("20261123120000000000", 1, CHECKOUT, Release("demo", "v1", "1" * 40))
SLEEP = [sys.executable, "-c", "import time; time.sleep(1.5)"]


def a_program() -> str:
    return process.run(SLEEP, 30).output


def a_salt_function() -> str:
    return str(process.call(lambda: time.sleep(1.5), 30))


@pytest.mark.parametrize("act", [a_program, a_salt_function])
def test_F14_what_a_host_runs_is_told_while_it_runs_though_much_was_told_just_before(
    act: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST", 0.6)
    sent: list[dict[str, Any]] = []
    reporter = Reporter(ORDER, "web1", lambda tag, event: sent.append(event), time.monotonic)
    Steps(reporter, time.monotonic).run(
        [
            Step("flip", "flip", lambda: ""),
            Step("check", "call site.warm", act),
            Step("restart", "restart site", lambda: ""),
        ]
    )
    assert [event["step"] for event in sent][:2] == ["flip", "call site.warm"]


def test_what_waits_outside_of_a_step_tells_nobody() -> None:
    assert process.run(SLEEP, 30).code == 0
