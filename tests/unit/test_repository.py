"""Releases travel as bundles and lie in stores: one snapshot each, nothing of the history, nothing half."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltdeploy.errors import Corrupt, DeployError, DiskFull, GitFailed, NoSuchTag, Unavailable, Unsupported
from saltdeploy.repository import Repository, Tag

from tests.repositories import FILE, Entry, Source, Tree, git, tree
from tests.unit.conftest import SmallDisk
from tests.unit.layouts.strategies import histories

MEGABYTE = 1 << 20
THREE = [tree(a="1", b="same"), tree(a="2", b="same"), tree(a="3", b="same", dir__c="4")]


@pytest.fixture(params=["sha1", "sha256"])
def hash_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(tmp_path: Path, hash_name: str) -> Source:
    """Three releases, in a repository of either hash."""
    command = [
        "git",
        "init",
        "--quiet",
        "--bare",
        f"--object-format={hash_name}",
        str(tmp_path / "source.git"),
    ]
    subprocess.run(command, check=True)
    return Source(tmp_path / "source.git", *THREE)


@pytest.fixture
def plain(tmp_path: Path) -> Source:
    """The same in the usual hash."""
    return Source(tmp_path / "plain.git", *THREE)


@pytest.fixture
def store(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "store.git")
    made.ensure()
    return made


def pack(source: Source, number: int, base: int | None, out: Path) -> Tag:
    tag = source.tag(number)
    source.repository.pack(tag, "" if base is None else source.tag(base).commit, out)
    return tag


def bring(source: Source, number: int, base: int | None, store: Repository, place: Path) -> str:
    tag = pack(source, number, base, place / "bundle")
    store.unpack(place / "bundle", tag.commit)
    return tag.commit


def content(repository: Repository, commit: str) -> dict[str, bytes]:
    """Every file of a release, read by git itself."""
    names = git(repository.git_dir, "ls-tree", "-r", "--name-only", commit).decode().splitlines()
    return {name: git(repository.git_dir, "show", f"{commit}:{name}") for name in names}


def files(wanted: Tree) -> dict[str, bytes]:
    return {name.decode(): entry.data for name, entry in wanted.items()}


def packed(bundle: Path) -> int:
    """How many objects travel in a bundle, see gitformat-pack(5)."""
    data = bundle.read_bytes()
    start = data.index(b"PACK")
    return int.from_bytes(data[start + 8 : start + 12], "big")


def objects(repository: Repository) -> set[str]:
    """Everything that lies in the store, held or not."""
    listed = git(
        repository.git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"
    )
    return set(listed.decode().splitlines())


def is_sound(repository: Repository) -> bool:
    """Whether git finds nothing missing or damaged, and nothing half lies about."""
    command = ["git", f"--git-dir={repository.git_dir}", "fsck", "--full", "--strict", "--no-dangling"]
    done = subprocess.run(command, capture_output=True, text=True)
    packs = repository.git_dir / "objects" / "pack"
    whole = {path.stem for path in packs.glob("*.idx")}
    return done.returncode == 0 and all(path.stem in whole for path in packs.iterdir())


# -- tags -----------------------------------------------------------------------------------------------


def test_a_tag_names_a_commit_whether_annotated_or_not(source: Source) -> None:
    for number in (0, 1):
        commit = git(source.git_dir, "rev-parse", f"v{number}^{{commit}}").decode().strip()
        oid = git(source.git_dir, "rev-parse", f"refs/tags/v{number}").decode().strip()
        assert source.repository.tag(f"v{number}") == Tag(f"v{number}", oid, commit)
        assert (oid != commit) == (number == 1)


def test_a_tag_of_a_tag_names_the_commit(plain: Source) -> None:
    git(plain.git_dir, "tag", "-a", "-m", "x", "outer", "v1")
    assert plain.repository.tag("outer").commit == plain.tag(1).commit


@pytest.mark.parametrize("name", ["v9", "v", "main", "V0"])
def test_a_tag_that_is_not_there_is_named(plain: Source, name: str) -> None:
    with pytest.raises(NoSuchTag) as caught:
        plain.repository.tag(name)
    assert f"there is no tag {name}" in caught.value.cause


@pytest.mark.parametrize("what", ["HEAD^{tree}", "HEAD:a"])
def test_a_tag_of_a_tree_or_a_file_is_no_release(plain: Source, what: str) -> None:
    git(plain.git_dir, "tag", "odd", what.replace("HEAD", "v0"))
    with pytest.raises(NoSuchTag, match="names no commit"):
        plain.repository.tag("odd")


def test_a_branch_of_the_same_name_is_not_taken_for_the_tag(plain: Source) -> None:
    git(plain.git_dir, "update-ref", "refs/heads/v0", plain.tag(2).commit)
    assert plain.repository.tag("v0").commit == plain.tag(0).commit


def test_a_moved_tag_names_its_new_commit(plain: Source) -> None:
    assert plain.repository.tag("v0").commit == plain.tag(0).commit
    git(plain.git_dir, "tag", "-f", "v0", plain.tag(2).commit)
    assert plain.repository.tag("v0").commit == plain.tag(2).commit


@pytest.mark.parametrize("there", [None, "a file", "a directory"])
def test_what_is_no_repository_is_unavailable(tmp_path: Path, there: str | None) -> None:
    place = tmp_path / "place"
    if there == "a file":
        place.write_text("")
    elif there:
        place.mkdir()
    assert not Repository(place).is_readable()
    with pytest.raises(Unavailable) as caught:
        Repository(place).tag("v1")
    assert caught.value.path == str(place)


@pytest.mark.parametrize(("held", "asked"), [("release/D", "release/D/1"), ("release/D/1", "release/D")])
def test_a_tag_in_the_way_of_another_does_not_hold_up_a_release(plain: Source, held: str, asked: str) -> None:
    old, new = plain.tag(0).commit, plain.tag(1).commit
    plain.repository.name(old, held)
    plain.repository.name(new, asked)
    assert plain.repository.name_of(old) in (held, "v0")
    assert plain.repository.tag(held).commit == old


def test_a_tag_that_cannot_be_written_for_another_reason_is_an_error(plain: Source) -> None:
    (plain.git_dir / "refs" / "tags" / "x.lock").write_text("")
    with pytest.raises(GitFailed):
        plain.repository.name(plain.tag(0).commit, "x")


# -- bundles --------------------------------------------------------------------------------------------


def test_a_bare_store_takes_the_whole_release(source: Source, store: Repository, tmp_path: Path) -> None:
    commit = bring(source, 2, None, store, tmp_path)
    assert content(store, commit) == files(THREE[2])
    assert store.kept() == [commit]
    assert is_sound(store)


@pytest.mark.parametrize("base", [1, 0], ids=["the release before", "two releases behind"])
def test_a_store_that_holds_a_release_takes_what_differs(
    source: Source, store: Repository, tmp_path: Path, base: int
) -> None:
    bring(source, base, None, store, tmp_path)
    before = objects(store)
    commit = bring(source, 2, base, store, tmp_path)
    assert content(store, commit) == files(THREE[2])
    assert is_sound(store)
    brought = sorted(line.split()[1] for line in objects(store) - before)
    assert brought == [
        "blob",
        "blob",
        "commit",
        "tree",
        "tree",
    ]  # the two files that differ, and what leads there
    assert packed(tmp_path / "bundle") == len(brought)


def test_a_way_back_is_a_bundle_as_well(source: Source, store: Repository, tmp_path: Path) -> None:
    bring(source, 2, None, store, tmp_path)
    commit = bring(source, 0, 2, store, tmp_path)
    assert content(store, commit) == files(THREE[0])
    assert is_sound(store)


def test_only_the_pinned_tag_travels(plain: Source, store: Repository, tmp_path: Path) -> None:
    """Neither other tags nor what came and went between two releases."""
    bring(plain, 0, None, store, tmp_path)
    bring(plain, 2, 0, store, tmp_path)
    assert not store.has(plain.tag(1).commit)
    refs = git(store.git_dir, "for-each-ref", "--format=%(refname)").decode().split()
    assert set(refs) == {f"refs/deploy/{plain.tag(n).commit}" for n in (0, 2)}
    heads = subprocess.run(
        ["git", "bundle", "list-heads", str(tmp_path / "bundle")], capture_output=True, text=True
    )
    assert heads.stdout == f"{plain.tag(2).oid} refs/tags/v2\n"


def test_the_bundle_is_one_that_git_reads(plain: Source, tmp_path: Path) -> None:
    """Without us: a repository that holds the base can fetch from the file."""
    git_dir = tmp_path / "other.git"
    shutil.copytree(plain.git_dir, git_dir)
    git(git_dir, "tag", "-d", "v2")
    pack(plain, 2, 1, tmp_path / "bundle")
    git(git_dir, "fetch", str(tmp_path / "bundle"), "refs/tags/v2:refs/tags/v2")
    assert Repository(git_dir).tag("v2") == plain.tag(2)


def test_the_history_is_cut_off(plain: Source, store: Repository, tmp_path: Path) -> None:
    commits = [bring(plain, n, None, store, tmp_path) for n in (0, 1)]
    for commit in commits:
        assert git(store.git_dir, "rev-list", "--count", commit) == b"1\n"


def test_a_base_that_was_let_go_of_and_is_still_here_will_do(
    plain: Source, store: Repository, tmp_path: Path
) -> None:
    bring(plain, 0, None, store, tmp_path)
    store.forget_all_but([])
    commit = bring(plain, 1, 0, store, tmp_path)
    assert content(store, commit) == files(THREE[1])


def test_a_bundle_without_its_base_is_refused(plain: Source, store: Repository, tmp_path: Path) -> None:
    with pytest.raises(GitFailed):
        bring(plain, 1, 0, store, tmp_path)
    assert objects(store) == set()
    assert is_sound(store)


def test_big_files_travel_whole(tmp_path: Path, store: Repository) -> None:
    """Larger than what git is told to hold in memory."""
    big = b"one line of many\n" * MEGABYTE
    source = Source(tmp_path / "source.git", {b"big": Entry(FILE, big)}, {b"big": Entry(FILE, big + b"more")})
    for number, base in ((0, None), (1, 0)):
        commit = bring(source, number, base, store, tmp_path)
        assert git(store.git_dir, "show", f"{commit}:big") == big + b"more" * number
        git(store.git_dir, "cat-file", "-e", commit)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(trees=histories(most=4), data=st.data())
def test_whatever_the_releases_a_store_holds_them_whole(
    tmp_path_factory: pytest.TempPathFactory, trees: list[Tree], data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("random")
    source = Source(place / "source.git", *trees)
    store = Repository(place / "store.git")
    store.ensure()
    held: list[int] = []
    for number in data.draw(st.permutations(range(len(trees))), label="order"):
        base = data.draw(st.sampled_from([None, *held]), label="base")
        commit = bring(source, number, base, store, place)
        held.append(number)
        listed = git(source.git_dir, "ls-tree", "-r", "-z", commit)
        assert git(store.git_dir, "ls-tree", "-r", "-z", commit) == listed
        rows = [row.split(b"\t")[0].split() for row in listed.split(b"\0") if row]
        oids = b"".join(oid + b"\n" for _, kind, oid in rows if kind == b"blob")
        assert b"missing" not in git(store.git_dir, "cat-file", "--batch-check", input=oids)


def test_a_store_of_one_hash_becomes_one_of_the_other_with_its_repository(
    tmp_path: Path, store: Repository, plain: Source
) -> None:
    bring(plain, 0, None, store, tmp_path)
    other = tmp_path / "sha256.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--object-format=sha256", str(other)], check=True)
    commit = bring(Source(other, *THREE), 1, None, store, tmp_path)
    assert content(store, commit) == files(THREE[1])
    assert store.kept() == [commit]


def test_a_work_tree_is_never_made_anew_for_another_hash(tmp_path: Path, plain: Source) -> None:
    theirs = tmp_path / "theirs" / ".git"
    subprocess.run(["git", "init", "--quiet", "--object-format=sha256", str(theirs.parent)], check=True)
    (theirs / "precious").write_text("")
    with pytest.raises(Unsupported):
        bring(plain, 0, None, Repository(theirs), tmp_path)
    assert (theirs / "precious").exists()


# -- hostile and damaged bundles ------------------------------------------------------------------------


def _truncated(data: bytes) -> bytes:
    return data[: len(data) - 30]


def _altered(data: bytes) -> bytes:
    middle = data.index(b"PACK") + 20
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


def _without_pack(data: bytes) -> bytes:
    return data[: data.index(b"PACK")]


def _many_objects(data: bytes) -> bytes:
    """A pack that says that it holds four thousand million objects."""
    start = data.index(b"PACK")
    return data[: start + 8] + b"\xff\xff\xff\xff" + data[start + 12 :]


SPOILS: list[Callable[[bytes], bytes]] = [
    _truncated,
    _altered,
    _without_pack,
    _many_objects,
    lambda data: b"",
    lambda data: b"\0" * 100_000,
    lambda data: b"# v2 git bundle\n" + b"-" * 100_000,
    lambda data: b"# v2 git bundle\n-\n" + data[16:],
    lambda data: b"# v2 git bundle\n-\xff\xfe \n" + data[16:],
    lambda data: b"# v9 git bundle\n" + data[16:],
    lambda data: data[data.index(b"PACK") :],
]


@pytest.mark.parametrize("base", [None, 0], ids=["whole", "thin"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_bundle_is_refused_and_leaves_nothing(
    plain: Source, store: Repository, tmp_path: Path, spoil: Callable[[bytes], bytes], base: int | None
) -> None:
    bring(plain, 0, None, store, tmp_path)
    before = objects(store)
    tag = pack(plain, 1, base, tmp_path / "bundle")
    whole = (tmp_path / "bundle").read_bytes()
    (tmp_path / "bundle").write_bytes(spoil(whole))
    with pytest.raises((Corrupt, GitFailed)):
        store.unpack(tmp_path / "bundle", tag.commit)
    assert objects(store) == before
    assert store.kept() == [plain.tag(0).commit]
    assert is_sound(store)
    (tmp_path / "bundle").write_bytes(whole)
    store.unpack(tmp_path / "bundle", tag.commit)  # and the next try works
    assert content(store, tag.commit) == files(THREE[1])


@settings(max_examples=40)
@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: b"# v2 git bundle\n" + rest))
def test_garbage_is_refused_as_garbage(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    place = tmp_path_factory.getbasetemp()
    store = Repository(place / "garbage.git")
    store.ensure()
    (place / "garbage").write_bytes(data)
    with pytest.raises((Corrupt, GitFailed)):
        store.unpack(place / "garbage", "a" * 40)
    assert objects(store) == set()


def test_a_bundle_of_another_commit_is_refused(plain: Source, store: Repository, tmp_path: Path) -> None:
    pack(plain, 1, None, tmp_path / "bundle")
    with pytest.raises(Corrupt, match=plain.tag(2).commit):
        store.unpack(tmp_path / "bundle", plain.tag(2).commit)
    assert store.kept() == []
    assert is_sound(store)


# -- no room --------------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Source:
    return Source(
        tmp_path / "large.git", tree(a="1"), {b"f%d" % n: Entry(FILE, os.urandom(MEGABYTE)) for n in range(6)}
    )


def test_a_bundle_that_finds_no_room_on_the_master_is_a_full_disk_there(large: Source) -> None:
    with pytest.raises(DiskFull) as caught:
        large.repository.pack(large.tag(1), "", Path("/dev/full"))
    assert caught.value.path == "/dev"


@pytest.mark.small_disk
def test_a_disk_that_fills_up_while_git_packs_is_the_one_that_is_named(
    disk: SmallDisk, large: Source
) -> None:
    disk.change("size=4m")
    with pytest.raises(DiskFull) as caught:
        large.repository.pack(large.tag(1), "", disk.path / "bundle")
    assert caught.value.path == str(disk.path)


def test_a_base_that_the_source_does_not_hold_is_the_sources_fault(plain: Source, tmp_path: Path) -> None:
    with pytest.raises(GitFailed) as caught:
        plain.repository.pack(plain.tag(1), "a" * 40, tmp_path / "bundle")
    assert caught.value.path == str(plain.git_dir)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writes beyond that size fail, for us and for git: what an administrator's limit does, whoever we are."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_pack_that_cannot_be_written_leaves_nothing_half(
    large: Source, store: Repository, tmp_path: Path
) -> None:
    kept = bring(large, 0, None, store, tmp_path)
    tag = pack(large, 1, None, tmp_path / "bundle")
    with no_file_above(2 * MEGABYTE), pytest.raises(DeployError):
        store.unpack(tmp_path / "bundle", tag.commit)
    assert store.kept() == [kept]
    assert is_sound(store)
    assert sum(path.stat().st_size for path in store.git_dir.rglob("*")) < MEGABYTE
    store.unpack(tmp_path / "bundle", tag.commit)
    assert content(store, tag.commit) == files(large.trees[1])


@pytest.mark.small_disk
def test_a_disk_that_fills_up_while_a_bundle_is_taken_in_is_empty_again(
    disk: SmallDisk, large: Source, tmp_path: Path
) -> None:
    disk.change("size=4m")
    store = Repository(disk.path / "store.git")
    store.ensure()
    tag = pack(large, 1, None, tmp_path / "bundle")
    with pytest.raises(DiskFull) as caught:
        store.unpack(tmp_path / "bundle", tag.commit)
    assert "df -h" in caught.value.next
    assert shutil.disk_usage(disk.path).used < MEGABYTE
    disk.change("size=32m")
    store.unpack(tmp_path / "bundle", tag.commit)
    assert store.kept() == [tag.commit]


# -- what a store holds on to ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Sixty releases; each brings a file of its own that is not compressed away, and drops the last one's."""
    releases = [{b"same": Entry(FILE, b"x"), b"own": Entry(FILE, os.urandom(20_000))} for _ in range(60)]
    return Source(tmp_path_factory.mktemp("sixty") / "source.git", *releases)


def test_a_store_stays_small_over_sixty_releases_and_loses_nothing_that_it_holds(
    sixty: Source, store: Repository, tmp_path: Path
) -> None:
    """Held are the newest three and the first, which somebody still runs."""
    for number in range(60):
        bring(sixty, number, None if number == 0 else number - 1, store, tmp_path)
        held = [sixty.tag(n).commit for n in {0, number, max(0, number - 1), max(0, number - 2)}]
        store.forget_all_but(held)
        assert sorted(store.kept()) == sorted(held)
    assert is_sound(store)
    for number in (0, 57, 58, 59):
        assert content(store, sixty.tag(number).commit) == files(sixty.trees[number])
    packs = list((store.git_dir / "objects" / "pack").glob("*.pack"))
    assert len(packs) <= 21
    assert sum(pack.stat().st_size for pack in packs) < 45 * 20_000  # all sixty would be 60 * 20,000


def test_a_store_that_cannot_be_tidied_takes_releases_all_the_same(
    sixty: Source, store: Repository, tmp_path: Path
) -> None:
    for number in range(22):
        if number == 20:  # from here on there are enough packs to be joined, and joining them fails
            git(store.git_dir, "config", "repack.useDeltaBaseOffset", "nonsense")
        bring(sixty, number, None, store, tmp_path)
    assert len(list((store.git_dir / "objects" / "pack").glob("*.pack"))) == 22
    assert len(store.kept()) == 22


@pytest.mark.parametrize(
    "left",
    [
        "packed-refs.lock",
        "shallow.lock",
        "refs/deploy/x.lock",
        "objects/pack/tmp_pack_abc",
        "objects/pack/pack-1.pack",
    ],
)
def test_what_a_killed_git_left_is_in_nobodys_way(
    plain: Source, store: Repository, tmp_path: Path, left: str
) -> None:
    kept = bring(plain, 0, None, store, tmp_path)
    (store.git_dir / left).parent.mkdir(exist_ok=True)
    (store.git_dir / left).write_bytes(b"half")
    store.recover()
    assert not (store.git_dir / left).exists()
    assert store.has(kept)
    bring(plain, 1, 0, store, tmp_path)
    store.forget_all_but([plain.tag(1).commit])


def test_a_repository_of_users_keeps_its_history(tmp_path: Path, plain: Source) -> None:
    """A work tree with .git: what arrives is joined to the history that is there, not cut off from it."""
    theirs = tmp_path / "theirs"
    subprocess.run(["git", "clone", "--quiet", "--branch", "v1", str(plain.git_dir), str(theirs)], check=True,
                   capture_output=True)  # fmt: skip
    store = Repository(theirs / ".git")
    commit = bring(plain, 2, 1, store, tmp_path)
    assert git(store.git_dir, "rev-list", "--count", commit) == b"3\n"


# -- comparing ------------------------------------------------------------------------------------------


def test_sizes_are_summed_up_before_anything_is_written(plain: Source, tmp_path: Path) -> None:
    rows = git(plain.git_dir, "ls-tree", "-r", "v2").decode().splitlines()
    with open(tmp_path / "oids", "w+b") as oids:
        oids.write("".join(f"{row.split()[2]}\n" for row in rows).encode())
        assert plain.repository.total_size(oids) == sum(len(data) for data in files(THREE[2]).values())
        oids.write(b"a" * 40 + b"\n")
        oids.flush()
        with pytest.raises(Corrupt, match="a" * 40):
            plain.repository.total_size(oids)


def test_a_comparison_with_a_commit_that_is_not_here_fails(plain: Source, tmp_path: Path) -> None:
    with open(tmp_path / "spool", "w+b") as spool, pytest.raises(GitFailed):
        plain.repository.diff("a" * 40, plain.tag(0).commit, spool)


def test_submodules_are_named(tmp_path: Path) -> None:
    source = Source(tmp_path / "s.git", {b"lib/x": Entry("160000", b"1" * 40), b"a": Entry(FILE, b"")})
    assert source.repository.submodules(source.tag(0).commit) == ["lib/x"]
