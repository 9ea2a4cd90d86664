"""Trebuchet's way: a git work tree at ``location``."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from saltdeploy.git import flaws
from saltdeploy.layouts.inplace import Inplace
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib.errors import Corrupt, DeployError, NotReady

from tests.support.repositories import (
    FILE,
    Entry,
    Source,
    add_raw,
    bring,
    deploy,
    git,
    prepare,
    repo,
    snapshot,
    tree,
)

RELEASES = [tree(a=str(n), lib__same="same", **{f"only{n}": "x"}) for n in range(3)]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", *RELEASES)


@pytest.fixture
def layout(location: Path) -> Inplace:
    return Inplace(repo(location, layout="inplace"))


def released(location: Path) -> dict[bytes, tuple[object, ...]]:
    """What users see, without ``.git``."""
    return {p: e for p, e in snapshot(location).items() if p != b".git" and not p.startswith(b".git/")}


def test_releases_follow_each_other_and_back(layout: Inplace, source: Source, location: Path) -> None:
    for number in (0, 1, 2, 0):
        deploy(layout, source, number)
        assert released(location) == source.checked_out(number)
        assert layout.holdings().live == source.tag(number).commit
        assert layout.holdings().tags[source.tag(number).commit] == f"v{number}"
        assert layout.verify(full=True).ok
    assert layout.holdings().previous == source.tag(2).commit


def test_a_link_of_the_operator_may_lead_to_the_work_tree(
    layout: Inplace, source: Source, location: Path, tmp_path: Path
) -> None:
    deploy(layout, source, 0)
    location.rename(tmp_path / "moved")
    location.symlink_to(tmp_path / "moved")
    deploy(layout, source, 1)
    assert released(location) == source.checked_out(1)
    assert layout.verify(full=True).ok


def test_whoever_was_led_back_knows_no_further_way_back(layout: Inplace, source: Source) -> None:
    for number in (0, 1):
        deploy(layout, source, number)
    layout.activate(source.release(0), back=True)
    assert (layout.holdings().live, layout.holdings().previous) == (source.tag(0).commit, "")
    deploy(layout, source, 2)
    assert layout.holdings().previous == source.tag(0).commit


def test_git_works_at_the_live_path_and_knows_the_tag(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    assert git(location / ".git", "describe", "--tags").decode().strip() == "v1"
    assert git(location / ".git", f"--work-tree={location}", "status", "--porcelain") == b""


def test_fetch_changes_nothing_that_a_user_sees(layout: Inplace, source: Source, location: Path) -> None:
    prepare(layout, source, 0)
    assert not location.exists()
    layout.activate(source.release(0))
    prepare(layout, source, 1)
    assert released(location) == source.checked_out(0)


def test_a_release_that_was_not_fetched_cannot_go_live(
    layout: Inplace, source: Source, location: Path
) -> None:
    with pytest.raises(NotReady):
        layout.activate(source.release(0))
    with pytest.raises(NotReady):
        layout.verify(full=False)
    assert not location.exists()


def test_files_that_git_does_not_track_stay(layout: Inplace, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    (location / "cache").mkdir()
    (location / "cache/file").write_text("theirs")
    deploy(layout, source, 1)
    assert (location / "cache/file").read_text() == "theirs"
    assert layout.verify(full=False).extra == ["cache/file"]


def test_files_that_git_tracks_are_put_right(layout: Inplace, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    (location / "lib/same").write_text("rubbish")
    (location / "only1").write_text("in the way")
    deploy(layout, source, 1)
    assert released(location) == source.checked_out(1)


def test_the_first_checkout_is_one_step(layout: Inplace, source: Source, location: Path) -> None:
    location.mkdir()
    (location / "precious").write_text("theirs")
    prepare(layout, source, 0)
    assert (location / "precious").exists()
    facts = layout.activate(source.release(0))
    assert released(location) == source.checked_out(0)
    assert (Path(facts["moved_aside"]) / "precious").read_text() == "theirs"
    assert not layout.holdings().previous


def test_what_an_interrupted_first_checkout_left_is_used(
    layout: Inplace, source: Source, location: Path
) -> None:
    prepare(layout, source, 0)
    first = location.parent / ".live.deploy/first"
    git(first / ".git", f"--work-tree={first}", "checkout", "--quiet", "--detach", source.tag(0).commit)
    (first / "a").unlink()
    (first / ".git/index.lock").touch()
    assert layout.holdings().live == ""
    deploy(layout, source, 1)
    assert released(location) == source.checked_out(1)


def test_what_the_exchange_brought_out_is_kept_when_it_was_interrupted(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    first = location.parent / ".live.deploy/first"
    first.mkdir()
    (first / "precious").write_text("theirs")
    facts = deploy(layout, source, 1)
    assert (Path(str(facts["moved_aside"])) / "precious").read_text() == "theirs"


@pytest.mark.parametrize(
    "name", ["index.lock", "HEAD.lock", "shallow.lock", "refs/deploy-previous.lock", "refs/tags/v1.lock"]
)
def test_locks_of_a_git_that_was_killed_are_no_obstacle(
    name: str, layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    lock = location / ".git" / name
    lock.touch()
    deploy(layout, source, 1)
    assert released(location) == source.checked_out(1)
    assert not lock.exists()


def test_a_lock_for_a_release_that_arrives_is_no_obstacle(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    lock = location / ".git/refs/deploy" / f"{source.tag(1).commit}.lock"
    lock.touch()
    bring(layout, source, 1)
    assert source.tag(1).commit in layout.holdings().held


def test_a_lock_that_a_process_has_open_is_respected(layout: Inplace, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    program = "import sys; file = open(sys.argv[1], 'w'); print('here', flush=True); input()"
    command = [sys.executable, "-c", program, str(location / ".git/index.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as editor:
        assert editor.stdout is not None
        editor.stdout.readline()
        with pytest.raises(DeployError) as caught:
            deploy(layout, source, 1)
        editor.kill()
    assert caught.value.status == 20
    assert released(location) == source.checked_out(0)


@pytest.fixture
def git_knows_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch finds nothing wrong with what git will not check out, as with whatever a newer git refuses."""
    monkeypatch.setattr(flaws, "find", lambda *_: iter(()))


@pytest.mark.usefixtures("git_knows_better")
def test_while_a_checkout_is_unfinished_nothing_is_said_to_be_live(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    add_raw(source, 3, [("100644", b"a", b"half"), ("40000", b"z", [("100644", b".git", b"x")])])
    with pytest.raises(DeployError):
        deploy(layout, source, 3)
    assert layout.holdings().live == ""
    deploy(layout, source, 0)
    assert layout.holdings().live == source.tag(0).commit
    assert released(location) == source.checked_out(0)


def corrupt_index(layout: Inplace, source: Source, location: Path) -> int:
    (location / ".git/index").write_bytes(b"rubbish")
    return 1


def illegal_path(layout: Inplace, source: Source, location: Path) -> int:
    add_raw(source, 3, [("40000", b".git", [("100644", b"config", b"x")])])
    return 3


@pytest.mark.usefixtures("git_knows_better")
@pytest.mark.parametrize(("status", "cause"), [(20, corrupt_index), (30, illegal_path)])
def test_failures_have_trebuchets_numbers(
    status: int,
    cause: Callable[[Inplace, Source, Path], int],
    layout: Inplace,
    source: Source,
    location: Path,
) -> None:
    deploy(layout, source, 0)
    number = cause(layout, source, location)
    with pytest.raises(DeployError) as caught:
        deploy(layout, source, number)
    assert caught.value.status == status
    assert caught.value.kind == "git-failed"
    assert released(location) == source.checked_out(0)


@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
def test_verify_names_what_differs(full: bool, layout: Inplace, tmp_path: Path, location: Path) -> None:
    source = Source(
        tmp_path / "odd", {**tree(**{".gitignore": "ignored\n"}), b"\xff": Entry(FILE, b"x"), **RELEASES[0]}
    )
    deploy(layout, source, 0)
    (location / "a").write_text("other")
    (location / "lib/same").unlink()
    (location / "more").touch()
    (location / "ignored").touch()
    found = layout.verify(full=full)
    assert (found.changed, found.missing, sorted(found.extra)) == (["a"], ["lib/same"], ["ignored", "more"])
    assert found.wrong == 4


def write(path: Path) -> None:
    path.write_text("spoilt")


def write_unseen_by_git(path: Path) -> None:
    write(path)
    subprocess.run(
        ["git", "-C", path.parents[1], "update-index", "--assume-unchanged", "lib/same"], check=True
    )


@pytest.mark.parametrize(
    "spoil", [write, write_unseen_by_git, Path.unlink], ids=["F11", "F45-unseen by git", "F45-deleted"]
)
def test_what_was_found_to_be_damaged_is_told_until_the_next_checkout_mends_it(
    spoil: Callable[[Path], object], layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    spoil(location / "lib/same")
    assert not layout.verify(full=True).ok
    assert layout.holdings().damaged
    deploy(layout, source, 0)
    assert not layout.holdings().damaged
    assert released(location) == source.checked_out(0)
    assert layout.verify(full=True).ok


def test_F11_files_more_are_no_damage_since_a_checkout_lets_them_stay(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    (location / "more").touch()
    assert layout.verify(full=True).extra == ["more"]
    assert not layout.holdings().damaged


def test_F11_a_file_that_was_mended_by_hand_is_not_damaged(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 0)
    write(location / "lib/same")
    layout.verify(full=False)
    (location / "lib/same").write_text("same")
    layout.verify(full=False)
    assert layout.holdings().damaged, "not every byte was read"
    layout.verify(full=True)
    assert not layout.holdings().damaged


def test_the_root_is_that_of_what_git_holds(layout: Inplace, source: Source, tmp_path: Path) -> None:
    slots = Slots(repo(tmp_path / "other"))
    for number in (0, 2, 1):
        commit = source.tag(number).commit
        assert deploy(layout, source, number)["root"] == deploy(slots, source, number)["root"]
        assert layout.holdings().roots[commit] == slots.holdings().roots[commit]


def test_a_release_with_another_root_is_not_ready(layout: Inplace, source: Source, location: Path) -> None:
    deploy(layout, source, 0)
    bring(layout, source, 1)
    with pytest.raises(Corrupt):
        layout.prepare(source.release(1), root="0" * 64)
    assert source.tag(1).commit not in layout.holdings().roots
    assert released(location) == source.checked_out(0)


def test_verify_reads_every_file_and_names_each_difference_once(
    layout: Inplace, source: Source, location: Path
) -> None:
    deploy(layout, source, 1)
    deploy(layout, source, 0)
    seen = (location / "a").stat()
    (location / "a").write_text("!")
    os.utime(location / "a", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    (location / "lib/same").unlink()
    found = layout.verify(full=True)
    assert (found.changed, found.missing, found.extra) == (["a"], ["lib/same"], [])


def test_what_git_was_told_to_convert_is_no_difference(tmp_path: Path, location: Path) -> None:
    source = Source(tmp_path / "dos", tree(a="1\n2\n", **{".gitattributes": "a text eol=crlf\n"}))
    layout = Inplace(repo(location, layout="inplace"))
    deploy(layout, source, 0)
    assert (location / "a").read_bytes() == b"1\r\n2\r\n"
    assert layout.verify(full=True).ok
    (location / "a").write_bytes(b"1\r\n3\r\n")
    assert layout.verify(full=True).changed == ["a"]


def test_verify_finds_what_gits_own_ids_do_not_tell(layout: Inplace, source: Source, location: Path) -> None:
    """As if two contents had the same id of git's: what was sealed is another one than what lies there."""
    deploy(layout, source, 0)
    with closing(sqlite3.connect(location / ".git/deploy-catalogue.db", isolation_level=None)) as database:
        database.execute("UPDATE files SET digest=? WHERE path=?", (b"\0" * 32, b"a"))
    assert layout.verify(full=False).ok
    assert layout.verify(full=True).changed == ["a"]
