"""A deploy leaves its master as one text, and is watched, read and shown on another one, by real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals

from tests.functional.test_doors import configuration
from tests.unit.watch.rollouts import canary_and_rollback
from tests.unit.watch.stories import DEPLOY, REPO


def master(checkout: Path, place: Path) -> Path:
    """The configuration of a master that does not run: nothing here needs one."""
    (place / "cache" / "proc").mkdir(parents=True)  # which a master makes when it starts
    settings = {"module_dirs": [str(checkout)], "pillar_dirs": [str(checkout / "_pillar")]}
    configuration(checkout, place, **settings).rename(place / "master")
    return place


def run(place: Path, *arguments: str, stdin: str = "", sudo: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("salt-run")), "-c", str(place), *arguments]
    environment = {**os.environ, **({"SUDO_USER": sudo} if sudo else {})}
    return subprocess.run(command, capture_output=True, text=True, input=stdin, env=environment, timeout=120)


@pytest.fixture(scope="module")
def here(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = master(checkout, tmp_path_factory.mktemp("masters") / "here")
    with Journals(place / "cache" / "deploy").write(REPO, DEPLOY) as journal:
        for event in canary_and_rollback():
            if not isinstance(event, float):
                journal.append(event)
    return place


@pytest.fixture(scope="module")
def there(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return master(checkout, tmp_path_factory.mktemp("masters") / "there")


@pytest.fixture(scope="module")
def text(here: Path) -> str:
    done = run(here, "deploy.export", f"id={DEPLOY}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_shown_elsewhere_as_it_is_shown_at_home(
    here: Path, there: Path, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "deploy.jsonl"
    file.write_text(text)
    at_home = run(here, "deploy.show", f"id={DEPLOY}").stdout
    assert "web4: checkout: php-fpm: the port 9000 does not answer" in at_home
    assert run(there, "deploy.show", f"file={file}").stdout == at_home


def test_its_log_is_read_and_it_is_watched_elsewhere(there: Path, text: str) -> None:
    log = run(there, "deploy.log", "levelno >= ERROR host == web4", "file=-", stdin=text)
    assert log.stdout.count("[web4] checkout: php-fpm") == 2
    watched = run(there, "deploy.watch", "file=-", stdin=text)
    assert (watched.returncode, watched.stdout.splitlines()[-1]) == (1, "ROLLED BACK 4/4")
    assert "canary checkout stage started on 2 hosts" in watched.stderr


def test_a_file_is_new_and_for_its_owner_alone(here: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "deploy.jsonl"
    done = run(here, "deploy.export", f"id={DEPLOY}", f"file={file}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (file.read_text(), file.stat().st_mode & 0o777) == (text, 0o600)
    again = run(here, "deploy.export", f"id={DEPLOY}", f"file={file}")
    assert (again.returncode, file.read_text()) == (1, text)
    assert "is there already" in again.stdout


@pytest.mark.parametrize("function", ["export", "watch", "log", "show"])
def test_nobody_lets_a_process_of_somebody_else_open_a_file(
    function: str, here: Path, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "deploy.jsonl"
    if function != "export":
        file.write_text(text)
    done = run(here, f"deploy.{function}", f"file={file}", sudo="alice")
    assert (done.returncode, "not-allowed" in done.stdout) == (1, True), done.stdout
    assert function != "export" or not file.exists()


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "it is no exported deploy"),
        ("root:x:0:0\n", "it is no exported deploy"),
        ("{}\n", "it is no exported deploy"),
        ('{"saltdeploy": "export", "v": 1}\n[]\n', "line 2 is no event of a deploy"),
        ('{"saltdeploy": "export", "v": 1}\n' + "[" * 100_000, "line 2 is no event of a deploy"),
    ],
)
def test_what_is_no_exported_deploy_is_refused_and_not_shown(there: Path, content: str, cause: str) -> None:
    done = run(there, "deploy.watch", "file=-", stdin=content)
    assert (done.returncode, cause in done.stdout) == (1, True), done.stdout
    assert "root:x" not in done.stdout + done.stderr


def test_every_line_is_json_and_the_plan_stays_at_home(text: str) -> None:
    told = [json.loads(line) for line in text.splitlines()]
    assert told[0] == {"saltdeploy": "export", "v": 1}
    assert {each["event"] for each in told[1:]} >= {"started", "finished"}
    assert "planned" not in {each["event"] for each in told[1:]}
