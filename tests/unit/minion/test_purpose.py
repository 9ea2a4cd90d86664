"""A repo of data, of configuration, of an image: a real daemon takes up each release as it is done for such a repo."""

from __future__ import annotations

import pytest

from tests.support.serving import ServingHost, until
from tests.unit.minion.conftest import SICK

pytestmark = pytest.mark.component("a daemon that a release tells")

#: As docs/services.md has it: a process takes a HUP in its own time.
WAITS = 'until curl -fs "http://127.0.0.1:$1/" | grep -qx "version $DEPLOY_TAG"; do sleep 0.1; done'


@pytest.fixture
def serving(server: ServingHost) -> ServingHost:
    """v0 is live and served."""
    server.keys = {"service_name": "demo"}
    assert server.deploy(0).ok
    server.forget_log()
    return server


def test_S50_a_data_repo_becomes_live_by_a_hup_and_the_daemon_goes_on(serving: ServingHost) -> None:
    serving.keys = {
        "purpose": "data",
        "signal": {"pidfile": str(serving.service.pidfile)},
        "checks": {"serves-the-new-data": {"command": ["sh", "-c", WAITS, "sh", str(serving.service.port)]}},
    }
    before = serving.service.pid()
    assert serving.deploy(1).ok
    assert serving.service.says() == "version v1", "the check has waited for it"
    assert serving.service.pid() == before, "nobody lost a connection"
    assert serving.rollback(0).ok
    assert serving.service.says() == "version v0"
    assert serving.service.loaded() == ["v0", "v1", "v0"]
    assert serving.service.pid() == before


def test_a_service_of_a_data_repo_is_reloaded_and_that_of_an_image_is_stopped_around_the_switch(
    serving: ServingHost,
) -> None:
    before = serving.service.pid()
    serving.keys = {"purpose": "data", "service_name": "demo"}
    assert serving.deploy(1).ok
    assert serving.service.pid() == before
    serving.forget_log()
    serving.keys = {"purpose": "image", "service_name": "demo"}
    assert serving.deploy(2).ok
    assert serving.service.pid() != before
    assert serving.log() == ["stop demo v1", "start demo v2"]


def test_configuration_that_its_check_refuses_never_becomes_live(serving: ServingHost) -> None:
    """The place of the check follows from the purpose: the daemon never reads what is wrong."""
    serving.keys = {
        "purpose": "config",
        "service_name": "demo",
        "checks": {"is-well": {"command": ["sh", "-c", "! grep -q sick VERSION"]}},
    }
    assert serving.deploy(1).ok
    until(lambda: serving.service.loaded() == ["v0", "v1"])
    failed = serving.deploy(SICK)
    assert failed.error is not None
    assert (serving.location / "VERSION").read_text() == "v1"
    assert serving.service.loaded() == ["v0", "v1"]
