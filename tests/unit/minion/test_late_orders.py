"""Orders that come late, or twice: what a host was told since counts."""

from __future__ import annotations

import pytest
from saltdeploy.lib.errors import Fenced

from tests.support.serving import ServingHost

DEPLOY = "20261123120000000000"


@pytest.fixture
def serving(server: ServingHost) -> ServingHost:
    """v0 is live, and v1 is prepared."""
    assert server.deploy(0).ok
    assert server.fetch(1, deploy=DEPLOY).ok
    return server


def test_a_switch_that_comes_after_its_rollback_is_refused(serving: ServingHost) -> None:
    assert serving.rollback(0, deploy=DEPLOY).ok
    late = serving.checkout(1, deploy=DEPLOY)
    assert isinstance(late.error, Fenced)
    assert serving.is_live() == "v0"


def test_the_next_deploy_is_not_hindered_by_a_rollback(serving: ServingHost) -> None:
    serving.checkout(1, deploy=DEPLOY)
    assert serving.rollback(0, deploy=DEPLOY).ok
    assert serving.deploy(1).ok
    assert serving.is_live() == "v1"


def test_a_rollback_by_hand_hinders_nobody(serving: ServingHost) -> None:
    serving.checkout(1, deploy=DEPLOY)
    assert serving.rollback(0, deploy="pin").ok
    assert serving.deploy(1, deploy="pin").ok


def test_an_answer_names_the_attempt_that_it_is_about(serving: ServingHost) -> None:
    assert serving.checkout(2, deploy=DEPLOY).attempt == 1, "it fails: v2 was never fetched"
    again = serving.checkout(1, deploy=DEPLOY, attempt=2)
    assert again.ok
    assert again.attempt == 2
    assert serving.checkout(2, deploy=DEPLOY) == again, "the first attempt comes again: it is not made again"
