"""The common directory that git is shown instead of an owner's: one for each repository and process, and never one that was touched."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.git import shield
from saltdeploy.git.repository import Repository
from saltdeploy.git.shield import shielded

from tests.support.repositories import Source, tree


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", tree(a="0"), tree(a="1", b="2"))


def common(git_dir: Path) -> Path:
    with shielded(git_dir) as environment:
        return Path(environment["GIT_COMMON_DIR"])


def touched(path: Path) -> None:
    path.write_bytes(path.read_bytes())


CHANGES: dict[str, Callable[[Path], object]] = {
    "another configuration": lambda place: (place / "config").write_text("[core]\nfsmonitor = evil\n"),
    "other attributes": lambda place: (place / "info" / "attributes").write_text("* filter=evil\n"),
    "the same bytes, written again": lambda place: touched(place / "info" / "attributes"),
    "more attributes": lambda place: (place / "info" / "more").touch(),
    "hooks": lambda place: (place / "hooks").mkdir(),
    "files in the empty work tree": lambda place: (place / "empty" / ".gitattributes").touch(),
    "another owner of refs": lambda place: ((place / "refs").unlink(), (place / "refs").mkdir()),
    "other rights": lambda place: place.chmod(0o777),
    "nothing": shutil.rmtree,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_directory_in_which_anything_has_changed_is_made_again(
    source: Source, change: Callable[[Path], object]
) -> None:
    first = common(source.git_dir)
    assert common(source.git_dir) == first
    change(first)
    second = common(source.git_dir)
    assert second != first
    assert sorted(os.listdir(second)) == sorted(
        {"config", "empty", "info", "packed-refs", "refs", "shallow"}
        | ({"logs"} & set(os.listdir(source.git_dir)))
    )
    shutil.rmtree(first, ignore_errors=True)


def test_what_the_owner_configures_anew_is_shown_in_another_directory(source: Source) -> None:
    first = common(source.git_dir)
    with (source.git_dir / "config").open("a") as file:
        file.write("[core]\n\tsharedRepository = group\n")
    second = common(source.git_dir)
    assert second != first
    assert "sharedrepository = group" in (second / "config").read_text()


def test_work_on_a_repository_makes_one_directory(source: Source, tmp_path: Path) -> None:
    first = common(source.git_dir)
    repository = Repository(source.git_dir)
    for _ in range(2):
        assert repository.tag("v1").commit == source.tag(1).commit
        assert repository.has(source.tag(0).commit)
    assert common(source.git_dir) == first


def _child(git_dir: Path, heard: multiprocessing.SimpleQueue[str]) -> None:
    heard.put(str(common(git_dir)))


def test_a_forked_job_has_its_own_and_takes_it_along_when_it_ends(source: Source) -> None:
    ours = common(source.git_dir)
    context = multiprocessing.get_context("fork")
    heard = context.SimpleQueue()
    job = context.Process(target=_child, args=(source.git_dir, heard))
    job.start()
    theirs = Path(heard.get())
    job.join()
    assert theirs != ours
    assert (ours.exists(), theirs.exists()) == (True, False)
    assert common(source.git_dir) == ours


def test_a_process_that_ends_without_cleaning_up_can_forget(source: Source) -> None:
    found = common(source.git_dir)
    shield.forget()
    assert not found.exists()
    assert common(source.git_dir).exists()


def test_a_process_that_ends_leaves_nothing(source: Source, tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from saltdeploy.git.shield import shielded\n"
    script += "with shielded(Path(sys.argv[1])) as found: print(found['GIT_COMMON_DIR'])"
    room = tmp_path / "room"
    room.mkdir()
    command = [sys.executable, "-c", script, str(source.git_dir)]
    environment = {**os.environ, "TMPDIR": str(room), "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert said.startswith(str(room))
    assert list(room.iterdir()) == []
