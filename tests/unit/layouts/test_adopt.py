"""An operator lets a host take over what is to be shared: nothing that was there is touched, and nothing is lost."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.layouts.symlinked import adopt as adopting
from saltdeploy.lib import copying
from saltdeploy.lib.errors import DiskFull, NotReady, Unsupported

from tests.support.repositories import Source, deploy, repo, tree

SHARED = {"dirs": ["images"], "files": ["LocalSettings.php"]}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(index=f"v{n}", images__README="git's") for n in range(3)]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.fixture(params=["slots", "releases"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return repo(tmp_path / "srv/wiki", layout=request.param, shared=SHARED)


def write_theirs(root: Path) -> None:
    (root / "images/a/b").mkdir(parents=True)
    (root / "images/a/b/cat.png").write_text("cat")
    os.symlink("a/b/cat.png", root / "images/alias")
    os.mkfifo(root / "images/pipe")
    (root / "LocalSettings.php").write_text("<?php secret")
    os.chmod(root / "LocalSettings.php", 0o640)
    os.chmod(root / "images", 0o2775)
    os.utime(root / "images/a/b/cat.png", (1_000_000_000, 1_000_000_000))
    if os.geteuid() == 0:
        os.chown(root / "images/a/b/cat.png", 4711, 4712)


def adopt(made: Repo, *paths: str, source: str = "") -> dict[str, str]:
    return layouts.of(made).adopt(paths, source)  # type: ignore[attr-defined, no-any-return]


def see(path: Path) -> tuple[int, int, int, int]:
    seen = path.lstat()
    return seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns


def test_what_is_live_moves_at_once_and_the_next_release_goes_on_with_it(made: Repo, source: Source) -> None:
    write_theirs(made.paths.location)
    inode = (made.paths.location / "images/a/b/cat.png").stat().st_ino
    assert adopt(made) == {"LocalSettings.php": "moved", "images": "moved"}
    assert (made.paths.location / "images").is_symlink()
    assert (made.paths.location / "LocalSettings.php").read_text() == "<?php secret"
    assert (made.paths.area / "shared/images/a/b/cat.png").stat().st_ino == inode
    assert adopt(made) == {"LocalSettings.php": "there already", "images": "there already"}
    deploy(layouts.of(made), source, 0)
    assert (made.paths.location / "images/a/b/cat.png").read_text() == "cat"
    assert not (made.paths.location / "images/README").exists()


def test_what_the_first_deploy_moved_aside_is_copied_as_it_is_and_stays(made: Repo, source: Source) -> None:
    write_theirs(made.paths.location)
    facts = deploy(
        layouts.of(replace(made, paths=replace(made.paths, shared=type(made.paths.shared)()))), source, 0
    )
    aside = Path(str(facts["moved_aside"]))
    assert adopt(made, source=str(aside)) == {"LocalSettings.php": "copied", "images": "copied"}
    place = made.paths.area / "shared"
    for name in ("images", "images/a/b/cat.png", "images/alias", "LocalSettings.php"):
        assert see(place / name) == see(aside / name), name
    assert (place / "images/a/b/cat.png").read_text() == "cat"
    assert not (place / "images/pipe").exists(), "a pipe belongs to a process"
    deploy(layouts.of(made), source, 1)
    assert (made.paths.location / "images/a/b/cat.png").read_text() == "cat"
    assert layouts.of(made).verify(full=True).ok


def test_what_is_shared_already_is_not_touched(made: Repo, tmp_path: Path) -> None:
    (made.paths.area / "shared/images").mkdir(parents=True)
    (made.paths.area / "shared/images/mine").write_text("mine")
    write_theirs(tmp_path / "old")
    assert adopt(made, "images", source=str(tmp_path / "old")) == {"images": "there already"}
    assert os.listdir(made.paths.area / "shared/images") == ["mine"]


def test_a_link_of_the_operators_goes_on_leading_there(made: Repo, tmp_path: Path) -> None:
    (tmp_path / "nfs").mkdir()
    made.paths.location.mkdir(parents=True)
    os.symlink("../../nfs", made.paths.location / "images")
    assert adopt(made) == {"LocalSettings.php": "not found", "images": "linked"}
    assert os.path.realpath(made.paths.area / "shared/images") == str(tmp_path / "nfs")


@pytest.mark.parametrize(
    ("paths", "where", "error", "said"),
    [
        (["other.ini"], "", Unsupported, "other.ini is to be taken over"),
        ([], "/no/such", NotReady, "no such directory"),
        ([], "", NotReady, "nothing is live here"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_helps(
    made: Repo, paths: list[str], where: str, error: Any, said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        adopt(made, *paths, source=where)
    assert caught.value.next


def test_what_is_of_another_kind_is_refused(made: Repo) -> None:
    made.paths.location.mkdir(parents=True)
    (made.paths.location / "images").write_text("a file")
    with pytest.raises(Unsupported, match="of another kind"):
        adopt(made)
    assert (made.paths.location / "images").read_text() == "a file"


def test_a_link_that_somebody_puts_in_the_way_leads_the_copy_nowhere(made: Repo, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("secret")
    write_theirs(tmp_path / "old")
    os.symlink(tmp_path / "secret", tmp_path / "old/images/a/way")
    adopt(made, source=str(tmp_path / "old"))
    assert (made.paths.area / "shared/images/a/way").is_symlink()
    assert (tmp_path / "secret/key").read_text() == "secret"


def test_a_full_disk_leaves_nothing_behind_and_nothing_changed(
    made: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_theirs(tmp_path / "old")
    write = copying.shutil.copyfileobj

    def full(old: Any, new: Any, size: int) -> None:
        write(old, new, size)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying.shutil, "copyfileobj", full)
    with pytest.raises(DiskFull):
        adopt(made, source=str(tmp_path / "old"))
    assert os.listdir(made.paths.area / "shared") == []
    monkeypatch.undo()
    assert adopt(made, source=str(tmp_path / "old"))["images"] == "copied"


def test_it_is_said_before_anything_is_copied_that_there_is_no_room(
    made: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_theirs(tmp_path / "old")

    def none_left(*_: object) -> None:
        raise DiskFull("12 bytes are missing")

    monkeypatch.setattr(adopting.disk, "refuse_without_space", none_left)
    with pytest.raises(DiskFull):
        adopt(made, source=str(tmp_path / "old"))
    assert os.listdir(made.paths.area / "shared") == []


def test_a_copy_keeps_setuid_bits_only_with_their_owner(made: Repo, tmp_path: Path) -> None:
    write_theirs(tmp_path / "old")
    os.chmod(tmp_path / "old/images/a/b/cat.png", 0o4755)
    adopt(made, "images", source=str(tmp_path / "old"))
    copied = (made.paths.area / "shared/images/a/b/cat.png").stat()
    assert stat.S_IMODE(copied.st_mode) == 0o4755
    assert copied.st_uid == (tmp_path / "old/images/a/b/cat.png").stat().st_uid
