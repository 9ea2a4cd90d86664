"""Slots: which one is taken, what is trusted, and what becomes of what is found at ``location``."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib import reflink
from saltdeploy.lib.errors import Corrupt, NotReady

from tests.support.repositories import Source, deploy, git, prepare, repo, snapshot, tree

RELEASES = [tree(a=str(n), lib__same="same", **{f"only{n}": "x"}) for n in range(5)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *RELEASES)


@pytest.fixture(scope="module")
def two_releases(tmp_path_factory: pytest.TempPathFactory, source: Source) -> Path:
    """Where somebody has deployed release 0 into slot 0 and release 1 into slot 1."""
    place = tmp_path_factory.mktemp("two")
    layout = Slots(repo(place / "live", slots=2))
    for number in (0, 1):
        deploy(layout, source, number)
    return place


@pytest.fixture
def area(tmp_path: Path) -> Path:
    return tmp_path / ".live.deploy"


@pytest.fixture
def layout(location: Path) -> Slots:
    """Two slots: the third release goes into the first one's."""
    return Slots(repo(location, slots=2))


def test_nothing_is_live_before_the_first_release(layout: Slots, location: Path) -> None:
    assert layout.holdings().live == ""
    assert layout.holdings().held == ()
    with pytest.raises(NotReady):
        layout.verify(full=False)
    assert not location.parent.joinpath(".live.deploy").exists()


def test_fetch_changes_nothing_that_a_user_sees(layout: Slots, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    before = os.readlink(location)
    prepare(layout, source, 1)
    assert os.readlink(location) == before
    assert layout.holdings().live == source.tag(0).commit
    assert set(layout.holdings().held) == {source.tag(0).commit, source.tag(1).commit}


def test_a_release_that_was_not_prepared_cannot_go_live(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    with pytest.raises(NotReady):
        layout.activate(source.release(1))
    assert snapshot(location) == source.checked_out(0)


def test_the_link_is_relative_so_that_its_directory_may_be_moved(
    layout: Slots, source: Source, tmp_path: Path, location: Path
) -> None:
    deploy(layout, source, 0)
    assert not os.path.isabs(os.readlink(location))


def test_going_back_writes_nothing(layout: Slots, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    assert layout.holdings().previous == source.tag(0).commit
    facts = deploy(layout, source, 0)
    assert facts["files"] == 0
    assert snapshot(location) == source.checked_out(0)
    assert layout.holdings().previous == source.tag(1).commit


@pytest.mark.parametrize("slots", [2, 3, 4])
def test_the_previous_release_is_untouched_while_there_is_another_slot(
    slots: int, source: Source, location: Path
) -> None:
    layout = Slots(repo(location, slots=slots))
    for number in range(5):
        deploy(layout, source, number)
        live = os.path.realpath(location)
        seen = stats(live)
        prepare(layout, source, (number + 1) % 5)
        now = stats(live)
        assert {path: each[:3] for path, each in now.items()} == {p: each[:3] for p, each in seen.items()}
        if number + 1 >= slots:  # no slot is rebuilt, so no file of the live one gets a further name
            assert now == seen
        if number and slots > 2:
            assert layout.holdings().previous == source.tag(number - 1).commit
    assert len(list((location.parent / ".live.deploy/slots").glob("*.json"))) == slots


def test_two_tags_of_one_commit_are_one_tree_under_the_name_deployed_last(
    layout: Slots, source: Source
) -> None:
    deploy(layout, source, 0)
    again = type(source.release(0))("demo", "another", source.tag(0).commit)
    assert layout.prepare(again)["files"] == 0
    layout.activate(again)
    assert layout.holdings().tags[source.tag(0).commit] == "another"


def test_fewer_slots_in_the_pillar_free_those_that_nobody_needs(
    source: Source, location: Path, area: Path
) -> None:
    many = Slots(repo(location, slots=4))
    for number in range(4):
        deploy(many, source, number)
    few = Slots(repo(location, slots=2))
    assert few.holdings().live == source.tag(3).commit
    assert few.holdings().previous == source.tag(2).commit
    deploy(few, source, 4)
    assert snapshot(location) == source.checked_out(4)
    for number in (0, 1):
        deploy(few, source, number)
        assert snapshot(location) == source.checked_out(number)
    assert {path.name for path in (area / "slots").iterdir() if path.is_dir()} == {"0", "1"}


# -- only what differs is written ---------------------------------------------------------------------------


def test_as_many_files_are_written_as_have_changed(tmp_path: Path, layout: Slots, area: Path) -> None:
    many = {b"d%d/f%d" % (n % 40, n): entry for n in range(800) for entry in tree(x=f"{n}").values()}
    changed = tree(d1__f1="new", d2__f2="new", d3__new="new")
    source = Source(tmp_path / "many", many, tree(a="other"), {**many, **changed})
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    before = stats(area / "slots/0")
    deploy(layout, source, 2)
    after = stats(area / "slots/0")
    assert {path for path in after if after[path] != before.get(path)} == {b"d1/f1", b"d2/f2", b"d3/new"}


def test_a_file_is_replaced_and_never_written_into(layout: Slots, source: Source, area: Path) -> None:
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    with open(area / "slots/0/a") as old:
        shutil.copy(area / "slots/0/a", area / "copy")
        os.link(area / "slots/0/a", area / "second name")
        deploy(layout, source, 2)
        assert old.read() == "0"
    assert (area / "second name").read_text() == "0"


def test_a_slot_that_is_made_anew_shares_its_files_with_another(
    layout: Slots, source: Source, area: Path, location: Path
) -> None:
    assert "began_as" not in deploy(layout, source, 0)
    facts = deploy(layout, source, 1)
    assert (facts["files"], facts["removed"], facts["began_as"]) == (2, 1, "v0")
    assert facts["shared_by"] == reflink.way(area)
    one, other = (area / "slots" / number / "lib/same" for number in "01")
    assert one.samefile(other) == (facts["shared_by"] == reflink.LINK)
    assert one.stat().st_mtime_ns == other.stat().st_mtime_ns
    assert snapshot(location) == source.checked_out(1)
    assert snapshot(area / "slots/0") == source.checked_out(0)


def test_where_files_cannot_be_shared_a_slot_begins_as_a_copy(
    layout: Slots, source: Source, area: Path, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflink, "way", lambda _: reflink.COPY)
    deploy(layout, source, 0)
    facts = deploy(layout, source, 1)
    assert (facts["files"], facts["began_as"], facts["shared_by"]) == (2, "v0", reflink.COPY)
    one, other = (area / "slots" / number / "lib/same" for number in "01")
    assert not one.samefile(other)
    assert snapshot(location) == source.checked_out(1)
    assert layout.verify(full=True).ok


def test_what_slots_share_is_not_read_again_though_it_got_further_names(
    layout: Slots, source: Source, area: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (0, 1, 2):
        deploy(layout, source, number)
    monkeypatch.setattr("saltdeploy.content.compare._is_same", lambda *_: pytest.fail("a file was read"))
    assert layout.verify(full=False).ok
    deploy(layout, source, 1)
    assert layout.verify(full=False).ok


def test_a_slot_takes_nothing_from_a_live_tree_that_was_written_into(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    (location / "lib/same").write_text("mended by hand")
    assert "began_as" not in deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(1)
    assert (location.parent / ".live.deploy/slots/0/lib/same").read_text() == "mended by hand"


def test_a_slot_takes_nothing_through_a_link(
    layout: Slots, source: Source, location: Path, tmp_path: Path
) -> None:
    deploy(layout, source, 0)
    shutil.move(location / "lib", tmp_path / "lib")
    (location / "lib").symlink_to(tmp_path / "lib")
    assert "began_as" not in deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(1)


def test_a_file_that_slots_share_and_somebody_wrote_into_is_made_anew(
    layout: Slots, source: Source, location: Path, area: Path
) -> None:
    for number in (0, 1):
        deploy(layout, source, number)
    (area / "slots/0/lib/same").write_text("spoilt")
    deploy(layout, source, 2)
    assert snapshot(location) == source.checked_out(2)
    deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(1)


# -- what is not trusted ------------------------------------------------------------------------------------


def write(path: Path, text: str = "rubbish") -> None:
    path.write_text(text)


def edit_record(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def edit(slots: Path) -> None:
        record = slots / "0.json"
        record.write_text(json.dumps(change(json.loads(record.read_text()))))

    return edit


def sql(*statements: str) -> Callable[[Path], None]:
    def edit(slots: Path) -> None:
        with sqlite3.connect(slots / "0.db") as database:
            for statement in statements:
                database.execute(statement)
        database.close()

    return edit


def garble_pages(slots: Path) -> None:
    with open(slots / "0.db", "r+b") as file:
        file.seek(100)
        file.write(os.urandom(3000))


def put_link(path: Path, to: Path) -> None:
    shutil.copytree(path, to)
    shutil.rmtree(path)
    path.symlink_to(to)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "record gone": lambda slots: (slots / "0.json").unlink(),
    "record empty": lambda slots: write(slots / "0.json", ""),
    "record cut off": lambda slots: write(slots / "0.json", '{"commit": "'),
    "record not JSON": lambda slots: (slots / "0.json").write_bytes(b"\xff\0"),
    "record of another kind": lambda slots: write(slots / "0.json", "[1]"),
    "record of another version": edit_record(lambda known: {**known, "colour": "red"}),
    "record with a number for a commit": edit_record(lambda known: {**known, "commit": 5}),
    "record with an option for a commit": edit_record(lambda known: {**known, "commit": "--output=x"}),
    "record with text for a turn": edit_record(lambda known: {**known, "turn": "x"}),
    "record of another commit": edit_record(lambda known: {**known, "commit": "0" * 40}),
    "manifest gone": lambda slots: (slots / "0.db").unlink(),
    "manifest empty": lambda slots: write(slots / "0.db", ""),
    "manifest not a database": lambda slots: write(slots / "0.db"),
    "manifest cut off": lambda slots: os.truncate(slots / "0.db", 5000),
    "manifest garbled": garble_pages,
    "manifest of an empty tree": sql("DELETE FROM files", "DELETE FROM root"),
    "manifest of another tree": lambda slots: (shutil.copy(slots / "1.db", slots / "0.db"), None)[1],
    "tree gone": lambda slots: shutil.rmtree(slots / "0"),
    "tree a file": lambda slots: (shutil.rmtree(slots / "0"), write(slots / "0"))[1],
    "tree a link": lambda slots: put_link(slots / "0", slots.parent / "moved"),
    "file changed": lambda slots: write(slots / "0/lib/same"),
    "file changed, that changes anyway": lambda slots: write(slots / "0/a"),
    "file gone": lambda slots: (slots / "0/lib/same").unlink(),
    "file a directory": lambda slots: (
        (slots / "0/lib/same").unlink(),
        (slots / "0/lib/same/x").mkdir(parents=True),
    )[0],
    "file a link to its twin": lambda slots: (
        shutil.move(slots / "0/lib/same", slots.parent / "same"),
        (slots / "0/lib/same").symlink_to(slots.parent / "same"),
    )[1],
    "mode changed": lambda slots: (slots / "0/lib/same").chmod(0o755),
    "directory gone": lambda slots: shutil.rmtree(slots / "0/lib"),
    "directory a file": lambda slots: (shutil.rmtree(slots / "0/lib"), write(slots / "0/lib"))[1],
    "directory a link to its twin": lambda slots: put_link(slots / "0/lib", slots.parent / "moved"),
    "file more": lambda slots: write(slots / "0/more"),
    "file more, where a directory comes": lambda slots: write(slots / "0/only2"),
    "directories more": lambda slots: (slots / "0/more/and/more").mkdir(parents=True),
    "object store gone": lambda slots: shutil.rmtree(slots.parent / "store.git"),
    "object store without a head": lambda slots: (slots.parent / "store.git/HEAD").unlink(),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_spare_slot_takes_the_next_release_all_the_same(
    name: str, layout: Slots, source: Source, two_releases: Path, tmp_path: Path, location: Path, area: Path
) -> None:
    shutil.copytree(two_releases, tmp_path, symlinks=True, dirs_exist_ok=True)
    DAMAGE[name](area / "slots")
    deploy(layout, source, 2)
    assert snapshot(location) == source.checked_out(2)
    assert layout.verify(full=True).ok


@pytest.mark.parametrize("name", [name for name in DAMAGE if name != "file changed, that changes anyway"])
def test_a_damaged_slot_is_not_taken_for_the_release_that_it_held(
    name: str, layout: Slots, source: Source, two_releases: Path, tmp_path: Path, location: Path, area: Path
) -> None:
    shutil.copytree(two_releases, tmp_path, symlinks=True, dirs_exist_ok=True)
    DAMAGE[name](area / "slots")
    deploy(layout, source, 0)
    assert snapshot(location) == source.checked_out(0)
    assert layout.verify(full=True).ok


def test_a_tree_above_the_limit_is_not_compared_but_what_is_written_is_looked_at(
    source: Source, location: Path, area: Path
) -> None:
    layout = Slots(repo(location, slots=2, stat_limit=1))
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    shutil.rmtree(area / "slots/0")
    (area / "slots/0").mkdir()
    facts = deploy(layout, source, 2)
    assert "made_anew" in facts or facts["compared"]
    assert deploy(layout, source, 1)["files"] == 0


# -- what is interrupted ------------------------------------------------------------------------------------


class Interrupted(Exception):
    """Whatever ends a process."""


def interrupt_while_writing(layout: Slots, source: Source, number: int) -> None:
    """Stop after the last file was put in place and before anything of it was noted."""

    def stop(phase: str, done: int, total: int, unit: str) -> None:
        raise Interrupted

    release = source.release(number)
    prepare_objects(layout, source, number)
    with pytest.raises(Interrupted):
        layout.prepare(release, stop)


def prepare_objects(layout: Slots, source: Source, number: int) -> None:
    layout.open()
    layout.store.keep(source.tag(number).commit)


@pytest.mark.parametrize("then", [0, 2, 3, 4], ids=["back", "the same", "another", "a third"])
def test_a_slot_that_was_left_half_way_is_repaired(
    then: int, layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    interrupt_while_writing(layout, source, 2)
    assert layout.holdings().held == (source.tag(1).commit,)
    assert layout.holdings().previous == ""
    with pytest.raises(NotReady):
        layout.activate(source.release(2))
    interrupt_while_writing(layout, source, 3)
    assert snapshot(location) == source.checked_out(1)
    facts = deploy(layout, source, then)
    assert snapshot(location) == source.checked_out(then)
    assert "made_anew" not in facts
    assert layout.verify(full=True).ok


def test_a_repair_compares_what_it_did_not_write(
    layout: Slots, source: Source, location: Path, area: Path
) -> None:
    layout = Slots(repo(location, slots=2, stat_limit=0))
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    interrupt_while_writing(layout, source, 2)
    write(area / "slots/0/lib/same")
    deploy(layout, source, 2)
    assert snapshot(location) == source.checked_out(2)


def test_the_first_tree_that_was_left_half_way_is_made_anew(
    layout: Slots, source: Source, location: Path
) -> None:
    layout.open()
    (layout.store.git_dir / "objects/info/alternates").write_text(f"{source.git_dir}/objects\n")
    interrupt_while_writing(layout, source, 0)
    assert layout.holdings().held == ()
    deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(1)


LEFT = [
    *(
        "store.git/config.lock",
        "store.git/shallow.lock",
        "store.git/shallow_a1B2c3",
        "store.git/.shallow.0123abcd",
    ),
    *(
        "store.git/refs/tags/v1.lock",
        "store.git/refs/deploy/{commit}.lock",
        "store.git/refs/deploy-asked/1.lock",
    ),
    *("store.git/objects/pack/tmp_pack_x", "store.git/objects/pack/.tmp-1-pack-x.idx"),
    *(
        "store.git/objects/pack/pack-{commit}.pack",
        "store.git/objects/pack/pack-{commit}.keep",
        "store.git/objects/pack/pack-{commit}.idx",
    ),
    *(
        "slots/.0.json.0123abcd",
        "slots/.1.0123abcd/",
        ".slots.0123abcd/",
        "../..live.deploy.0123abcd/",
        "incoming/file",
    ),
]


@pytest.mark.parametrize("name", LEFT)
def test_what_killed_processes_leave_is_no_obstacle_and_goes(
    name: str, layout: Slots, source: Source, location: Path, area: Path
) -> None:
    deploy(layout, source, 0)
    left = area / name.format(commit=source.tag(1).commit)
    left.parent.mkdir(parents=True, exist_ok=True)
    left.mkdir() if name.endswith("/") else left.write_bytes(b"half")
    deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(1)
    assert not left.exists()


# -- a live tree that somebody wrote into -------------------------------------------------------------------


def test_a_live_tree_that_differs_is_made_anew_elsewhere_and_stays_until_then(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    write(location / "lib/same")
    assert layout.verify(full=False).changed == ["lib/same"]
    assert layout.holdings().live == source.tag(1).commit
    assert source.tag(1).commit not in layout.holdings().held
    prepare(layout, source, 1)
    assert (location / "lib/same").read_text() == "rubbish"
    layout.activate(source.release(1))
    assert snapshot(location) == source.checked_out(1)
    assert source.tag(1).commit in layout.holdings().held


def test_one_can_go_back_to_a_tree_that_differs_since_that_is_what_was_live(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    write(location / "lib/same")
    layout.verify(full=False)
    deploy(layout, source, 1)
    assert layout.holdings().previous == source.tag(0).commit
    layout.activate(source.release(0))
    assert (location / "lib/same").read_text() == "rubbish"


def test_what_users_write_beside_the_release_is_theirs_until_the_slot_is_recycled(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    write(location / "cache")
    deploy(layout, source, 0)
    assert (location / "cache").exists()
    deploy(layout, source, 1)
    deploy(layout, source, 2)
    assert snapshot(location) == source.checked_out(2)


@pytest.mark.parametrize("damage", ["record gone", "manifest gone", "manifest of another tree"])
def test_a_live_tree_whose_record_is_lost_is_replaced_by_the_next_deploy_of_its_release(
    damage: str, layout: Slots, source: Source, location: Path, area: Path
) -> None:
    deploy(layout, source, 0)
    prepare(layout, source, 1)
    DAMAGE[damage](area / "slots")
    with pytest.raises(Corrupt):
        layout.verify(full=False)
    deploy(layout, source, 0)
    assert snapshot(location) == source.checked_out(0)
    assert layout.verify(full=True).ok


# -- what is found at location ------------------------------------------------------------------------------


def directory(location: Path) -> None:
    location.mkdir()
    write(location / "precious")


def foreign_link(location: Path) -> None:
    directory(location.with_name("elsewhere"))
    location.symlink_to("elsewhere")


FOUND: dict[str, Callable[[Path], None]] = {
    "a directory": directory,
    "a git work tree": lambda location: (directory(location), (location / ".git").mkdir())[0],
    "a file": write,
    "a link to elsewhere": foreign_link,
    "a link to nowhere": lambda location: location.symlink_to("/nowhere/at/all"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found_at_location_is_moved_aside_and_named(
    name: str, layout: Slots, source: Source, location: Path
) -> None:
    FOUND[name](location)
    was = what_lies_at(location)
    prepare(layout, source, 0)
    assert what_lies_at(location) == was
    facts = layout.activate(source.release(0))
    aside = Path(str(facts["moved_aside"]))
    assert aside.parent == location.parent
    assert aside.name.startswith("live.2")
    assert what_lies_at(aside) == was
    assert snapshot(location) == source.checked_out(0)
    assert "moved_aside" not in layout.activate(source.release(0))


def what_lies_at(path: Path) -> object:
    if path.is_symlink():
        return os.readlink(path)
    return snapshot(path) if path.is_dir() else path.read_text()


def test_what_two_adoptions_find_is_kept_under_two_names(
    layout: Slots, source: Source, location: Path
) -> None:
    names = set()
    for number in range(3):
        if location.is_symlink():
            location.unlink()
        directory(location)
        names.add(deploy(layout, source, number)["moved_aside"])
    assert len(names) == 3
    assert all(Path(str(name), "precious").exists() for name in names)


def test_a_link_that_says_the_same_in_full_is_ours(layout: Slots, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    shown = os.path.realpath(location)
    location.unlink()
    location.symlink_to(shown)
    assert layout.holdings().live == source.tag(0).commit
    assert "moved_aside" not in deploy(layout, source, 1)


# -- objects ------------------------------------------------------------------------------------------------


def test_the_store_holds_on_to_what_the_slots_hold_and_no_more(layout: Slots, source: Source) -> None:
    for number in range(5):
        deploy(layout, source, number)
    assert set(layout.store.kept()) == {source.tag(3).commit, source.tag(4).commit}


def test_a_blob_that_the_store_has_lost_is_named_and_nothing_changes(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    without_blobs = git(source.git_dir, *PACK_WITHOUT_BLOBS, input=b"v1\n")
    (layout.store.git_dir / "objects/info/alternates").unlink()
    git(layout.store.git_dir, "index-pack", "--stdin", input=without_blobs)
    with pytest.raises(Corrupt) as caught:
        layout.prepare(source.release(1))
    assert caught.value.path == str(layout.store.git_dir)
    assert snapshot(location) == source.checked_out(0)
    assert layout.verify(full=False).ok


def test_a_blob_with_other_bytes_than_its_name_says_is_not_written(
    layout: Slots, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    objects = layout.store.git_dir / "objects"
    (objects / "info/alternates").unlink()
    whole = git(source.git_dir, "pack-objects", "--revs", "--stdout", "--quiet", input=b"v1\n")
    git(layout.store.git_dir, "unpack-objects", "-q", input=whole)
    one, other = (
        git(source.git_dir, "rev-parse", f"v1:{name}").decode().strip() for name in ("a", "lib/same")
    )
    (objects / one[:2] / one[2:]).unlink()
    shutil.copy(objects / other[:2] / other[2:], objects / one[:2] / one[2:])
    with pytest.raises(Corrupt, match=one):
        layout.prepare(source.release(1))
    assert snapshot(location) == source.checked_out(0)


PACK_WITHOUT_BLOBS = ["pack-objects", "--revs", "--stdout", "--filter=blob:none", "--quiet"]


def stats(root: Path | str) -> dict[bytes, tuple[int, int, int, int]]:
    """Inode, time, mode and change time of every file; a further name changes only the last."""
    found = {}
    for directory, _, files in os.walk(os.fsencode(root)):
        for path in (os.path.join(directory, name) for name in files):
            seen = os.lstat(path)
            found[os.path.relpath(path, os.fsencode(root))] = (
                seen.st_ino,
                seen.st_mtime_ns,
                seen.st_mode,
                seen.st_ctime_ns,
            )
    return found
