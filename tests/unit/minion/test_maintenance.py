"""Services that are stopped around a switch, kinds of signals that packages bring, and maintenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config import maintenance as config_maintenance
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError
from saltdeploy.minion import by_hand, stages

from tests.support import plugins as packages
from tests.support.repositories import repo
from tests.support.serving import ServingHost
from tests.unit.minion.conftest import BROKEN, SICK

pytestmark = pytest.mark.component("daemons that a release starts and stops")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """There as long as the host is under maintenance."""
    return tmp_path / "maintenance"


@pytest.fixture
def serving(server: ServingHost) -> ServingHost:
    """v0 is live and served."""
    server.keys = {"service_name": "demo"}
    assert server.deploy(0).ok
    server.forget_log()
    return server


def watching(server: ServingHost, page: Path, **keys: Any) -> None:
    """Each step of a service says whether the page is there."""
    call = server.service.call

    def noted(function: str, arguments: list[Any]) -> Any:
        answer = call(function, arguments)
        with server.log_file.open("a") as log:
            log.write(f"page {'on' if page.exists() else 'off'}\n")
        return answer

    server.service.call = noted  # type: ignore[method-assign]
    server.keys = {"service_name": "demo=around", "maintenance": {"file": str(page)}, **keys}


def told(server: ServingHost) -> str:
    """What the host says of its maintenance."""
    return str(stages.look(repo(server.location, **server.keys), server.host).facts.get("maintenance", ""))


# -- services ---------------------------------------------------------------------------------------------


def test_S76_a_service_is_stopped_before_the_switch_and_started_behind_it(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo=around", "service_port": serving.service.port}
    assert serving.deploy(1).ok
    assert serving.log() == ["stop demo v0", "start demo v1"]
    assert serving.service.says() == "version v1"


def test_S76_depool_stop_switch_start_wait_check_repool_one_list_and_a_failure_ends_it(
    serving: ServingHost,
) -> None:
    serving.keys = {
        "service_name": "demo=around",
        "service_port": serving.service.port,
        "depool": serving.says("depool"),
        "repool": serving.says("repool"),
        "checks": {
            "page": {"type": "http", "after": "restart", "url": f"http://127.0.0.1:{serving.service.port}/"}
        },
    }
    result = serving.deploy(1)
    assert [step["step"] for step in result.facts["steps"]] == [
        "begin", "depool", "stop demo", "flip", "start demo", f"wait for port {serving.service.port}", "check page",
        "repool", "settle",
    ]  # fmt: skip
    failed = serving.deploy(SICK)
    assert not failed.ok
    skipped = {step["step"] for step in failed.facts["steps"] if step["status"] == "skipped"}
    assert skipped == {"repool", "settle"}


def test_a_service_that_does_not_start_is_started_by_the_way_back(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo=around"}
    assert not serving.deploy(BROKEN).ok
    assert serving.rollback(0).ok
    assert serving.service.says() == "version v0"


@pytest.mark.parametrize(
    ("verb", "log"),
    [
        ("stop", ["stop two", "stop one"]),
        ("start", ["start one", "start two"]),
        ("reload", ["reload one", "reload two"]),
    ],
)
def test_services_are_told_one_thing_by_hand_and_stopped_in_the_reverse_of_their_order(
    server: ServingHost, verb: str, log: list[str]
) -> None:
    server.keys = {"service_name": "one, two=around"}
    server.service.call = lambda function, names: bool(  # type: ignore[method-assign]
        server.log_file.open("a").write(f"{function.removeprefix('service.')} {names[0]}\n")
    )
    answer = by_hand.service(repo(server.location, **server.keys), verb, server.host)
    assert answer.ok
    assert server.log() == log


def test_a_repo_without_services_says_so(server: ServingHost) -> None:
    answer = by_hand.service(repo(server.location), "stop", server.host)
    assert answer.error is not None and answer.error.kind == "nothing-to-restart"


# -- kinds of signals that packages bring -----------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.install(tmp_path_factory.mktemp("plugins") / "site", packages.EXAMPLE)


def test_a_kind_of_signal_of_a_package_is_sent_behind_the_switch(
    server: ServingHost, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched = tmp_path / "touched"
    with packages.beside(installed, monkeypatch):
        server.keys = {"signal": [{"type": "touch", "path": str(touched)}]}
        result = server.deploy(1)
        assert result.ok
        assert touched.read_text() == "v1"
        (sent,) = [step for step in result.facts["steps"] if step["step"] == "signal touch"]
        assert sent["text"] == f"touched {touched}"
        server.keys = {"signal": [{"type": "touch", "path": "/no/such/place"}]}
        failed = server.deploy(2)
        assert failed.error is not None
        assert "signal touch (path /no/such/place) failed: FileNotFoundError" in failed.error.cause
        with pytest.raises(ConfigError, match="needs path"):
            repo(server.location, signal=[{"type": "touch"}])


def test_a_kind_of_signal_that_no_package_brings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no package brings this kind of signal") as caught:
        repo(tmp_path, signal={"type": "touch"})
    assert caught.value.path.endswith(":signal:0:type")


# -- maintenance ------------------------------------------------------------------------------------------


def test_a_switch_is_done_under_maintenance(serving: ServingHost, page: Path) -> None:
    watching(serving, page)
    assert serving.deploy(1).ok
    assert serving.log() == ["stop demo v0", "page on", "start demo v1", "page on"]
    assert not page.exists()
    assert told(serving) == ""


def test_commands_begin_and_end_it(serving: ServingHost, page: Path) -> None:
    commands = {"on": ["touch", str(page)], "off": ["rm", str(page)]}
    watching(serving, page, maintenance=commands)
    assert serving.deploy(1).ok
    assert "page on" in serving.log()
    assert not page.exists()


@pytest.mark.parametrize("keep", [False, True])
def test_a_switch_that_fails_leaves_it_on_only_where_the_pillar_says_so(
    serving: ServingHost, page: Path, keep: bool
) -> None:
    watching(serving, page, maintenance={"file": str(page), "keep": keep})
    failed = serving.deploy(BROKEN)
    assert failed.error is not None
    assert page.exists() is keep
    assert ("left under maintenance" in failed.error.cause) is keep
    assert ("switches to v4" in told(serving)) is keep
    assert serving.rollback(0).ok
    assert not page.exists()
    assert told(serving) == ""


def test_what_cannot_be_ended_is_said(serving: ServingHost, page: Path) -> None:
    watching(serving, page, maintenance={"on": ["touch", str(page)], "off": ["false"]})
    failed = serving.deploy(BROKEN)
    assert failed.error is not None
    assert "left under maintenance, since ending that failed" in failed.error.cause
    assert "switches to v4" in told(serving)


def test_what_an_operator_begins_is_ended_by_no_deploy(serving: ServingHost, page: Path) -> None:
    watching(serving, page)
    configuration = repo(serving.location, **serving.keys)
    assert by_hand.under_maintenance(configuration, serving.host, on=True, why="the database moves").ok
    assert serving.deploy(1).ok
    assert page.exists()
    assert "the database moves" in told(serving)
    assert by_hand.under_maintenance(configuration, serving.host, on=False, why="").ok
    assert not page.exists()
    assert told(serving) == ""


def test_a_page_that_no_deploy_has_made_is_told(serving: ServingHost, page: Path) -> None:
    watching(serving, page)
    page.touch()
    assert "no deploy has made it" in told(serving)


def test_a_host_whose_pillar_has_no_maintenance_says_so(server: ServingHost) -> None:
    answer = by_hand.under_maintenance(repo(server.location), server.host, on=True, why="x")
    assert answer.error is not None and answer.error.path == "repo_config:demo:maintenance"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({}, "needs file, or on and off"),
        ({"on": "a"}, "needs both of on and off"),
        ({"file": "page"}, "absolute path"),
        ({"file": "/"}, "absolute path"),
        ("on", "must be a table"),
    ],
)
def test_maintenance_that_is_written_wrong_is_refused(value: Any, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        config_maintenance.maintenance(value)


def test_the_bare_words_on_and_off_are_understood_as_yaml_reads_them() -> None:
    found = config_maintenance.maintenance({True: "begin", False: "end"})
    assert found == config_maintenance.maintenance({"true": ["begin"], "false": ["end"]})
    assert found is not None and (found.on, found.off) == (("begin",), ("end",))
