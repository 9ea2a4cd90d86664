"""Processes take up a release, or the host says that they did not."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import ServingHost, is_alive, until

pytestmark = pytest.mark.component("daemons that a release starts and stops")


@pytest.fixture
def serving(server: ServingHost) -> ServingHost:
    """v0 is live and served, v1 is live and not taken up yet."""
    assert server.deploy(0).ok
    assert server.service.start("demo")
    assert server.deploy(1).ok
    assert server.service.says() == "version v0"
    return server


@pytest.fixture
def passer_by() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with anything."""
    before = signal.signal(
        signal.SIGHUP, signal.SIG_DFL
    )  # nohup lets us ignore it, and a child inherits that
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as process:
        signal.signal(signal.SIGHUP, before)
        yield process
        process.kill()


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for systemctl: it answers with what stands in ``units/<unit>``, as systemd would of a main process."""
    directory = tmp_path / "units"
    directory.mkdir()
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nfor unit; do :; done\ncat "{directory}/$unit" 2>/dev/null || echo 0\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return directory


def cause(answer: dict[str, object]) -> str:
    assert answer["status"] is False
    return answer["error"]["cause"]  # type: ignore[index]


# -- services -------------------------------------------------------------------------------------------


def test_a_restart_starts_another_process_that_serves_the_new_release(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo", "service_port": serving.service.port}
    before = serving.service.pid()
    assert serving.restart()["status"] is True
    assert serving.service.pid() != before
    assert serving.service.says() == "version v1"


def test_a_reload_keeps_the_process(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo=reload"}
    before = serving.service.pid()
    assert serving.restart()["status"] is True
    until(lambda: serving.service.loaded() == ["v0", "v1"])
    assert serving.service.pid() == before


def test_a_service_can_be_stopped_before_it_is_started(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo=stop-start"}
    assert serving.restart()["status"] is True
    assert serving.log() == ["stop demo v1", "start demo v1"]
    assert serving.service.says() == "version v1"


def test_several_services_come_one_after_the_other_and_the_first_that_fails_is_the_last(
    serving: ServingHost,
) -> None:
    serving.keys = {"service_name": "one=stop-start, two, three"}
    answers = {"two": False}
    serving.service.call = lambda function, names: (
        serving.log_file.open("a").write(f"{function} {names[0]}\n") and answers.get(names[0], True)
    )
    assert cause(serving.restart()) == "service.restart two answered False"
    assert serving.log() == ["service.stop one", "service.start one", "service.restart two"]


def test_a_service_that_does_not_start_is_a_failure(serving: ServingHost) -> None:
    assert serving.deploy(4).ok  # "broken"
    serving.keys = {"service_name": "demo"}
    assert "answered False" in cause(serving.restart())


def test_a_service_function_that_hangs_is_killed_with_what_it_started(serving: ServingHost) -> None:
    assert serving.deploy(6).ok  # "stubborn"
    serving.keys = {"service_name": "demo", "service_timeout": 1}
    assert "had not ended after 1 seconds" in cause(serving.restart())
    needle = str(serving.service.generations)
    assert needle not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def test_where_nothing_is_to_restart_the_answer_is_empty(serving: ServingHost) -> None:
    assert serving.restart() == {}


def test_trebuchets_answer_is_true_or_false(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo"}
    answer = serving.restart()
    assert (answer["status"], answer["repo"], answer["dependencies"]) == (True, "demo", [])


def test_a_restart_by_hand_does_not_settle_the_host(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo", "repool": serving.says("repool", code=1)}
    assert not serving.deploy(2).ok
    serving.restart()
    assert serving.status().holdings.unsettled


# -- signals --------------------------------------------------------------------------------------------


def test_a_signal_reaches_the_process_of_the_pid_file_which_reads_the_new_release(
    serving: ServingHost,
) -> None:
    serving.keys = {"signal": {"name": "HUP", "pidfile": str(serving.service.pidfile)}}
    before = serving.service.pid()
    assert serving.restart()["status"] is True
    until(lambda: serving.service.loaded() == ["v0", "v1"])
    assert serving.service.pid() == before
    assert serving.service.says() == "version v1"


def test_a_signal_reaches_the_main_process_of_a_unit(serving: ServingHost, units: Path) -> None:
    (units / "demo.service").write_text(f"{serving.service.pid()}\n")
    serving.keys = {"signal": {"name": "HUP", "unit": "demo.service"}}
    assert serving.restart()["status"] is True
    until(lambda: serving.service.loaded() == ["v0", "v1"])


def test_a_unit_without_a_main_process_is_a_failure(serving: ServingHost, units: Path) -> None:
    serving.keys = {"signal": {"name": "HUP", "unit": "gone.service"}}
    assert "no main process" in cause(serving.restart())


def test_a_host_without_systemd_says_so(serving: ServingHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    serving.keys = {"signal": {"name": "HUP", "unit": "demo.service"}}
    assert "systemctl cannot be run" in cause(serving.restart())


def test_a_pid_file_of_a_process_that_is_gone_is_stale(serving: ServingHost) -> None:
    pid = serving.service.pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid))
    serving.keys = {"signal": {"name": "HUP", "pidfile": str(serving.service.pidfile)}}
    assert f"is stale: there is no process {pid}" in cause(serving.restart())


def test_a_stranger_that_got_the_number_of_a_dead_process_is_not_signalled(
    server: ServingHost, tmp_path: Path, passer_by: subprocess.Popen[bytes]
) -> None:
    pidfile = tmp_path / "old.pid"
    pidfile.write_text(str(passer_by.pid))
    os.utime(pidfile, (1_000_000_000, 1_000_000_000))  # written long before the passer-by was born
    server.keys = {"signal": {"name": "HUP", "pidfile": str(pidfile)}}
    assert "younger than the file" in cause(server.restart())
    assert passer_by.poll() is None


def test_a_process_that_dies_of_the_signal_is_a_failure(
    server: ServingHost, tmp_path: Path, passer_by: subprocess.Popen[bytes]
) -> None:
    pidfile = tmp_path / "passer.pid"
    pidfile.write_text(str(passer_by.pid))
    server.keys = {"signal": {"name": "HUP", "pidfile": str(pidfile)}}
    assert "died of HUP" in cause(server.restart())


def test_a_process_that_shall_end_may_end(
    server: ServingHost, tmp_path: Path, passer_by: subprocess.Popen[bytes]
) -> None:
    pidfile = tmp_path / "passer.pid"
    pidfile.write_text(str(passer_by.pid))
    server.keys = {"signal": {"name": "TERM", "pidfile": str(pidfile)}}
    assert server.restart()["status"] is True
    assert passer_by.wait() == -signal.SIGTERM


@pytest.mark.parametrize("content", ["", "none", "0", "1", "-1", "99999999999999999999"])
def test_a_pid_file_without_a_process_id_is_a_failure(
    server: ServingHost, tmp_path: Path, content: str
) -> None:
    pidfile = tmp_path / "odd.pid"
    pidfile.write_text(content)
    server.keys = {"signal": {"name": "HUP", "pidfile": str(pidfile)}}
    assert "no process id" in cause(server.restart())


def test_a_pid_file_that_is_not_there_is_a_failure(server: ServingHost, tmp_path: Path) -> None:
    server.keys = {"signal": {"name": "HUP", "pidfile": str(tmp_path / "none.pid")}}
    assert "cannot be read" in cause(server.restart())


# -- the command, and the ports --------------------------------------------------------------------------


def test_a_command_runs_in_the_release(serving: ServingHost) -> None:
    script = f"cat VERSION > {serving.log_file}"
    serving.keys = {"restart_command": ["/bin/sh", "-c", script]}
    assert serving.restart()["status"] is True
    assert serving.log() == ["v1"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/bin/sh", "-c", "echo no permission; exit 9"], "ended with 9: no permission"),
        (["/nonexistent/program"], "cannot be run: No such file or directory"),
        (["/bin/sh", "-c", "echo begun; sleep 600"], "had not ended after 1 seconds: begun"),
    ],
)
def test_a_command_that_fails_says_how(serving: ServingHost, command: list[str], said: str) -> None:
    serving.keys = {"restart_command": command, "service_timeout": 1}
    assert said in cause(serving.restart())


def test_a_daemon_that_the_command_leaves_behind_lives_on(serving: ServingHost, tmp_path: Path) -> None:
    left = tmp_path / "left.pid"
    serving.keys = {"restart_command": ["/bin/sh", "-c", f"sleep 600 & echo $! > {left}"]}
    assert serving.restart()["status"] is True
    pid = int(left.read_text())
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_port_that_opens_late_is_waited_for(serving: ServingHost) -> None:
    starter = [
        sys.executable,
        "-S",
        "-c",
        "import time,sys,subprocess;time.sleep(1);subprocess.run(sys.argv[1:])",
    ]
    daemon = [sys.executable, "-S", Path("tests/support/daemon.py").resolve(), serving.service.pidfile]
    daemon += [serving.service.generations, serving.location, str(serving.service.port)]
    serving.service.stop("demo")
    serving.keys = {"service_port": serving.service.port, "service_timeout": 30}
    with subprocess.Popen([*starter, *daemon]):
        assert serving.restart()["status"] is True
        assert serving.service.says() == "version v1"


def test_a_port_that_does_not_open_is_a_failure_of_its_own_kind(serving: ServingHost) -> None:
    serving.service.stop("demo")
    serving.keys = {"service_port": serving.service.port, "service_timeout": 1}
    answer = serving.restart()
    assert answer["error"]["kind"] == "not-listening"
    assert "accepted no connection within 1 seconds" in cause(answer)


# -- what runs, and what is live ------------------------------------------------------------------------


@pytest.fixture
def switched_later(serving: ServingHost) -> ServingHost:
    """The switch was a minute after the daemon had started: by then the clocks agree on what is older."""
    later = time.time() + 60
    os.utime(serving.location, (later, later), follow_symlinks=False)
    return serving


def test_a_process_that_is_older_than_the_switch_is_named(switched_later: ServingHost) -> None:
    port = switched_later.service.port
    switched_later.keys = {"service_name": "demo", "service_port": port}
    told = switched_later.look().facts["stale"]
    assert told.startswith(f"port {port}: pid {switched_later.service.pid()} ")


def test_systemds_main_process_is_looked_at(switched_later: ServingHost, units: Path) -> None:
    switched_later.keys = {"service_name": "demo"}
    (units / "demo").write_text(str(switched_later.service.pid()))
    assert switched_later.look().facts["stale"].startswith("service demo: ")


@pytest.mark.parametrize(
    "keys", [{"service_name": "demo=reload"}, {}, {"signal": {"name": "HUP", "unit": "demo"}}]
)
def test_nothing_is_concluded_where_the_process_stays_by_design(
    switched_later: ServingHost, units: Path, keys: dict[str, object]
) -> None:
    switched_later.keys = {"service_port": switched_later.service.port, **keys}
    (units / "demo").write_text(str(switched_later.service.pid()))
    assert "stale" not in switched_later.look().facts


def test_a_process_that_was_started_after_the_switch_is_fine(serving: ServingHost) -> None:
    serving.keys = {"service_name": "demo", "service_port": serving.service.port}
    assert serving.restart()["status"] is True
    assert "stale" not in serving.look().facts
