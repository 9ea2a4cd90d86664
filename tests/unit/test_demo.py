"""The demo's parts that need no Salt: its processes end, its proof is a proof, its sample is worth deploying."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import processes, sample
from demo.proof import release_in

DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
open(sys.argv[1] + "-" + str(os.getpid()), "w").close()
time.sleep(1000)
"""

# a worker in a session of its own that writes its name over its arguments, as Salt's processes do
RENAMED = """
import os, sys, time
import setproctitle
if os.fork() == 0:
    os.setsid()
    setproctitle.setproctitle(" ".join(["worker", *sys.argv[1:]]))
open(sys.argv[1] + "-" + str(os.getpid()), "w").close()
time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def nothing_outlives_a_failed_test(tmp_path: Path) -> Iterator[None]:
    yield
    for mark in tmp_path.glob("up-*"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(mark.name.removeprefix("up-")), signal.SIGKILL)


def started(directory: Path, program: str, processes_wanted: int) -> subprocess.Popen[bytes]:
    mark = directory / "up"
    daemon = processes.launch(directory, [sys.executable, "-c", program, str(mark)], directory / "out")
    while len(list(directory.glob("up-*"))) < processes_wanted:
        assert daemon.poll() is None, (directory / "out").read_text()
    return daemon


def test_a_daemon_and_its_children_end_though_they_are_deaf_to_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    daemon = started(tmp_path, DEAF, processes_wanted=2)
    assert len(processes.alive(tmp_path)) == 2
    processes.end_all(tmp_path)
    assert processes.alive(tmp_path) == set()
    assert daemon.wait() == -signal.SIGKILL


def test_the_child_of_a_daemon_that_is_gone_is_found_and_ended(tmp_path: Path) -> None:
    daemon = started(tmp_path, DEAF.replace("SIG_IGN", "SIG_DFL"), processes_wanted=2)
    daemon.kill()
    daemon.wait()
    assert len(processes.alive(tmp_path)) == 1
    processes.end_all(tmp_path)
    assert processes.alive(tmp_path) == set()


def test_a_child_that_left_its_daemon_and_changed_its_name_is_found_and_ended(tmp_path: Path) -> None:
    daemon = started(tmp_path, RENAMED, processes_wanted=2)
    assert len(processes.alive(tmp_path)) == 2
    processes.end_all(tmp_path)
    assert processes.alive(tmp_path) == set()
    daemon.wait()


def test_a_process_that_only_got_the_number_of_an_old_daemon_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True
    )
    try:
        (tmp_path / "sessions").write_text(f"{stranger.pid} 1\n")
        processes.end_all(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_whoever_asks_for_the_end_of_all_is_not_among_them(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from demo import processes; processes.end_all(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), f"{tmp_path}/x"], timeout=60)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample") / "site"
    sample.make(directory)
    return directory


def git(site: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(site), *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_the_sample_has_releases_that_add_change_delete_and_turn_files(site: Path) -> None:
    assert git(site, "tag", "--list").split() == sample.TAGS
    second = git(site, "diff", "--no-renames", "--name-status", "v1", "v2")
    assert {line[0] for line in second.splitlines()} == {"A", "D", "M"}
    assert "M\ttheme" in second
    assert "mode change 100644 => 100755 bin/warm-cache" in git(site, "diff", "--summary", "v1", "v2")
    assert "VERSION/number" in git(site, "diff", "--name-only", "v2", "v3")


def test_the_proof_names_the_release_that_a_directory_holds(site: Path, tmp_path: Path) -> None:
    for tag in sample.TAGS:
        git(site, "worktree", "add", "--detach", str(tmp_path / tag), tag)
        (tmp_path / tag / ".git").unlink()
        assert release_in(tmp_path / tag, site, sample.TAGS) == tag


@pytest.mark.parametrize("harm", ["one more file", "one byte", "one mode", "one file less"])
def test_the_proof_sees(site: Path, tmp_path: Path, harm: str) -> None:
    tree = tmp_path / "tree"
    git(site, "clone", "--quiet", "--branch", "v2", str(site), str(tree))
    assert release_in(tree, site, ["v2"]) == "v2"
    file = tree / "VERSION"
    match harm:
        case "one more file":
            (tree / "bees" / "extra").touch()
        case "one byte":
            file.write_bytes(b"3\n")
        case "one mode":
            file.chmod(0o755)
        case "one file less":
            file.unlink()
    assert release_in(tree, site, ["v2"]) == ""
