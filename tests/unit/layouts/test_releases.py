"""Release directories: how they are named, what they share, which of them stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from saltdeploy.layouts.releases import Releases
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib import reflink
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.protocol.release import Release

from tests.support.repositories import Source, deploy, prepare, repo, snapshot, tree
from tests.support.repositories import bring as store

LARGE = {f"big{n}": str(n) * 100_000 for n in range(4)}
RELEASES = [tree(a=str(n), lib__same="same", **LARGE, **{f"only{n}": "x"}) for n in range(7)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *RELEASES)


@pytest.fixture
def layout(location: Path) -> Releases:
    return Releases(repo(location, layout="releases", keep_releases=3))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / ".live.deploy/releases"


def names(home: Path) -> set[str]:
    return {path.name for path in home.iterdir()}


def tagged(source: Source, number: int, tag: str) -> Release:
    return Release("demo", tag, source.tag(number).commit)


# -- names ------------------------------------------------------------------------------------------------


def test_each_release_has_a_directory_named_by_its_tag(
    layout: Releases, source: Source, location: Path, home: Path
) -> None:
    for number in (0, 1):
        deploy(layout, source, number)
    assert names(home) == {"v0", "v1"}
    assert os.readlink(location) == ".live.deploy/releases/v1"
    for number in (0, 1):
        assert snapshot(home / f"v{number}") == source.checked_out(number)


def test_tags_whose_names_would_be_the_same_have_a_number(
    layout: Releases, source: Source, home: Path
) -> None:
    for number, tag in enumerate(["release/2026-11-28/1", "release-2026-11-28/1", "release-2026-11-28-1"]):
        prepare_as(layout, source, number, tag)
    assert names(home) == {"release-2026-11-28-1", "release-2026-11-28-1~2", "release-2026-11-28-1~3"}
    assert layout.holdings().tags[source.tag(1).commit] == "release-2026-11-28/1"


def prepare_as(layout: Releases, source: Source, number: int, tag: str) -> None:
    store(layout, source, number)
    layout.prepare(tagged(source, number, tag))


@pytest.mark.parametrize("tag", ["v1.json", "v1.db", "v1.db-journal", "v1", "x" * 200, "gr\u00f6\u00dfer"])
def test_no_tag_is_taken_for_a_record(tag: str, layout: Releases, source: Source, home: Path) -> None:
    prepare_as(layout, source, 0, "v1")
    prepare_as(layout, source, 1, tag)
    layout.activate(tagged(source, 1, tag))
    assert set(layout.holdings().held) == {source.tag(0).commit, source.tag(1).commit}
    assert layout.verify(full=True).ok


# -- sharing ----------------------------------------------------------------------------------------------


def test_a_release_shares_what_it_has_in_common_with_another(
    layout: Releases, source: Source, home: Path
) -> None:
    deploy(layout, source, 0)
    facts = deploy(layout, source, 1)
    assert (facts["files"], facts["removed"], facts["began_as"]) == (2, 1, "v0")
    one, other = (home / name / "big0" for name in ("v0", "v1"))
    assert facts["shared_by"] == reflink.way(home.parent)
    assert (one.stat().st_ino == other.stat().st_ino) == (facts["shared_by"] == reflink.LINK)
    assert one.stat().st_mtime_ns == other.stat().st_mtime_ns
    assert (home / "v0/a").read_text() == "0"


def test_a_release_begins_as_the_one_from_which_it_differs_least(
    tmp_path: Path, layout: Releases, location: Path
) -> None:
    far = tree(**{f"f{n}": "far" for n in range(20)})
    near = tree(**{f"f{n}": "near" for n in range(20)})
    changed = tree(f0="other", **{f"f{n}": "near" for n in range(1, 20)})
    source = Source(tmp_path / "s", near, far, changed)
    for number in (0, 1):
        deploy(layout, source, number)
    facts = deploy(layout, source, 2)
    assert (facts["files"], facts["began_as"]) == (1, "v0")
    assert snapshot(location) == source.checked_out(2)


def test_nothing_of_an_older_release_changes_while_another_is_made(
    layout: Releases, source: Source, home: Path
) -> None:
    deploy(layout, source, 0)
    for number in (1, 2, 1, 2):
        before = {n: snapshot(home / n) for n in names(home)}
        deploy(layout, source, number)
        assert {n: snapshot(home / n) for n in before} == before


def test_a_file_that_others_may_write_is_copied_and_not_linked(
    layout: Releases, source: Source, home: Path
) -> None:
    deploy(layout, source, 0)
    (home / "v0/big0").chmod(0o666)
    deploy(layout, source, 1)
    (home / "v0/big0").write_text("spoilt")
    assert snapshot(home / "v1") == source.checked_out(1)


def test_a_release_whose_base_was_written_into_is_made_without_it(
    layout: Releases, source: Source, location: Path, home: Path
) -> None:
    deploy(layout, source, 0)
    (home / "v0/lib/same").write_text("spoilt, and longer")
    facts = deploy(layout, source, 1)
    assert "began_as" not in facts
    assert snapshot(location) == source.checked_out(1)
    deploy(layout, source, 0)  # and the one that was written into is rebuilt
    assert snapshot(location) == source.checked_out(0)


def test_what_users_put_beside_a_release_stays_there(
    layout: Releases, source: Source, location: Path, home: Path
) -> None:
    deploy(layout, source, 0)
    (home / "v0/lib/theirs").write_text("theirs")
    deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(1)
    assert (home / "v0/lib/theirs").read_text() == "theirs"


def test_stat_tells_that_nothing_has_changed_though_files_get_further_names(
    layout: Releases, source: Source
) -> None:
    for number in (0, 1, 2):
        deploy(layout, source, number)
    for slot in layout._look().states:
        with slot.manifest() as manifest:
            for entry in manifest.entries():
                seen = os.lstat(os.path.join(os.fsencode(slot.tree), entry.path))
                ctime = seen.st_ctime_ns if entry.ctime else 0  # 0: not noted
                assert seen.st_nlink == 1 or not ctime
                known = (entry.size, entry.mtime, entry.ctime, entry.inode)
                assert known == (seen.st_size, seen.st_mtime_ns, ctime, seen.st_ino)
    assert layout.verify(full=False).ok


@pytest.mark.images
def test_files_are_reflinks_where_the_file_system_can_do_that(tmp_path: Path, source: Source) -> None:
    mkfs = shutil.which("mkfs.xfs", path=f"{os.environ['PATH']}:/usr/sbin")
    assert mkfs, "install xfsprogs: this test makes a file system that has reflinks"
    image, place = tmp_path / "image", tmp_path / "xfs"
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    subprocess.run([mkfs, "-q", "-m", "reflink=1", str(image)], check=True)
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    layout = Releases(repo(place / "live", layout="releases"))
    deploy(layout, source, 0)
    facts = deploy(layout, source, 1)
    assert facts["shared_by"] == reflink.CLONE
    home = place / ".live.deploy/releases"
    with open(home / "v0/big0", "r+b") as file:
        file.write(b"spoilt")
    assert snapshot(place / "live") == source.checked_out(1)


# -- retention --------------------------------------------------------------------------------------------


def test_as_many_releases_stay_as_the_pillar_says(layout: Releases, source: Source, home: Path) -> None:
    for number in range(6):
        deploy(layout, source, number)
    assert names(home) == {"v3", "v4", "v5"}
    assert {path.stem for path in (home.parent / "records").iterdir()} == {"v3", "v4", "v5"}


def test_one_that_was_bad_goes_before_a_good_one(layout: Releases, source: Source, home: Path) -> None:
    for number in range(3):
        deploy(layout, source, number)
    layout.activate(source.release(1), back=True)
    deploy(layout, source, 3)
    deploy(layout, source, 4)
    assert names(home) == {"v1", "v3", "v4"}


def test_the_way_back_to_a_good_release_stays(layout: Releases, source: Source, home: Path) -> None:
    few = Releases(repo(layout._repo.paths.location, layout="releases", keep_releases=2))
    for number in range(3):
        deploy(few, source, number)
    few.activate(source.release(1), back=True)
    deploy(few, source, 3)
    few.activate(source.release(1), back=True)
    prepare(few, source, 4)  # v2 and v3 were bad, and v3 was live before
    assert names(home) == {"v0", "v1", "v3", "v4"}


def test_a_bad_release_is_good_again_once_it_is_deployed(
    layout: Releases, source: Source, home: Path
) -> None:
    for number in range(3):
        deploy(layout, source, number)
    layout.activate(source.release(1), back=True)
    layout.activate(source.release(2))
    deploy(layout, source, 3)
    assert names(home) == {"v1", "v2", "v3"}
    assert not json.loads((home.parent / "records/v2.json").read_text())["bad"]


def test_what_is_pinned_stays(layout: Releases, source: Source, home: Path) -> None:
    deploy(layout, source, 0)
    for number in range(1, 6):
        store(layout, source, number)
        layout.prepare(source.release(number), needed=[source.tag(0).commit])
        layout.activate(source.release(number))
    assert names(home) == {"v0", "v3", "v4", "v5"}


def test_what_a_process_uses_stays_until_it_is_left(layout: Releases, source: Source, home: Path) -> None:
    deploy(layout, source, 0)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=home / "v0") as user:
        for number in range(1, 5):
            deploy(layout, source, number)
        assert names(home) == {"v0", "v2", "v3", "v4"}
        user.kill()
    deploy(layout, source, 5)
    assert names(home) == {"v3", "v4", "v5"}


def test_a_tree_without_a_record_is_rubbish(layout: Releases, source: Source, home: Path) -> None:
    for number in range(2):
        deploy(layout, source, number)
    (home / "of-somebody").mkdir()
    (home.parent / "records/v0.json").unlink()
    deploy(layout, source, 2)
    assert names(home) == {"v1", "v2"}


def test_a_host_can_change_from_slots_and_back(source: Source, location: Path) -> None:
    slots, releases = Slots(repo(location)), Releases(repo(location, layout="releases"))
    for number, layout in enumerate((slots, releases, slots, releases)):
        deploy(layout, source, number)
        assert snapshot(location) == source.checked_out(number)
        assert layout.verify(full=True).ok


# -- collecting -------------------------------------------------------------------------------------------


def test_what_would_go_is_told_and_stays_when_it_is_only_a_test(
    layout: Releases, source: Source, home: Path
) -> None:
    for number in range(3):
        deploy(layout, source, number)
    (home.parent / "incoming/left").write_bytes(bytes(100_000))
    few = Releases(repo(layout._repo.paths.location, layout="releases", keep_releases=2))
    told, done = Cleanup(test=True), Cleanup()
    few.collect(told, ())
    assert names(home) == {"v0", "v1", "v2"}
    few.collect(done, ())
    assert told.freed() == {kind: size for kind, size in done.freed().items() if kind != "objects"}
    assert told.freed()["incoming"] >= 100_000
    assert 0 < told.freed()["trees"] < 100_000  # what other releases have as well is not free
    assert names(home) == {"v1", "v2"}
    assert not list((home.parent / "incoming").iterdir())
