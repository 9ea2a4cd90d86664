"""A package of somebody else brings a kind of pointers; nothing of ours knows its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.config import pointers
from saltdeploy.lib.errors import ConfigError, Corrupt
from saltdeploy.minion import stages

from tests.support import plugins
from tests.support.blobstores import fill, lfs
from tests.support.repositories import FILE, Entry, Source, repo, tree
from tests.support.targets import Target

pytestmark = pytest.mark.component("a package of somebody else, built and installed")

OLD, NEW, LARGE = b"old" * 1000, b"new" * 1000, b"large" * 1000


def stub(content: bytes) -> Entry:
    return Entry(FILE, b"stub sha512 %s %d\n" % (hashlib.sha512(content).hexdigest().encode(), len(content)))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plugins.install(tmp_path_factory.mktemp("example") / "site", plugins.EXAMPLE)


@pytest.fixture(autouse=True)
def beside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with plugins.beside(installed, monkeypatch):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A directory with all contents but one."""
    place = tmp_path / "store"
    for content in (OLD, NEW):
        fill(place, stub(content), content)
    fill(place, lfs(LARGE), LARGE)
    return place


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Pointers of this kind and of git-lfs; the last release has one of a content that nobody has."""
    trees = [{b"dir/blob": stub(content), b"large": lfs(LARGE)} for content in (OLD, NEW, b"nobody's")]
    return Source(tmp_path / "source.git", *trees)


@pytest.mark.parametrize("layout", ["slots", "releases"])
def test_contents_take_the_places_of_its_pointers_forth_and_back(
    tmp_path: Path, source: Source, store: Path, layout: str
) -> None:
    host = Target(tmp_path, source, layout=layout, blobs={"stub": str(store), "lfs": str(store)})
    for number, content in ((0, OLD), (1, NEW), (0, OLD)):
        assert all(result.ok for result in host.deploy(number))
        assert (host.location / "dir/blob").read_bytes() == content
        assert (host.location / "large").read_bytes() == LARGE
        assert stages.verify(host.repo, host.host, full=True).ok
    (host.location / "dir/blob").chmod(0o644)
    (host.location / "dir/blob").write_bytes(NEW)
    assert not stages.verify(host.repo, host.host, full=True).ok


def test_a_release_names_the_place_of_its_contents_itself(tmp_path: Path, store: Path) -> None:
    named = Entry(FILE, f"{store}\n".encode())
    host = Target(
        tmp_path, Source(tmp_path / "s.git", {b".stubs": named, b"blob": stub(NEW)}), blobs={"stub": []}
    )
    assert all(result.ok for result in host.deploy(0))
    assert (host.location / "blob").read_bytes() == NEW


def test_of_a_content_that_nobody_has_the_error_says_what_helps(
    tmp_path: Path, source: Source, store: Path
) -> None:
    host = Target(tmp_path, source, blobs={"stub": str(store), "lfs": str(store)})
    error = host.run(host.order(2)).error
    assert error is not None
    assert (error.path, "stub pointer" in error.cause) == ("dir/blob", True)
    assert "blobs:stub, or run stub-push; then" in error.next


def test_what_begins_like_its_pointer_and_is_none_is_refused(tmp_path: Path, store: Path) -> None:
    host = Target(
        tmp_path, Source(tmp_path / "s.git", tree(a="stub sha512 0 0\n")), blobs={"stub": str(store)}
    )
    error = host.run(host.order(0)).error
    assert isinstance(error, Corrupt)
    assert (error.path, error.cause) == ("a", "the stub has no legal digest and size")


def test_its_contents_are_not_had_from_a_git_lfs_server() -> None:
    with pytest.raises(ConfigError, match="holds contents of kind lfs only"):
        repo(Path("/srv/demo"), blobs={"stub": "lfs+https://example.org/x"})


def test_without_the_package_its_name_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="the kinds of blobs are lfs, fat, annex") as caught:
        repo(Path("/srv/demo"), blobs={"stub": []})
    assert caught.value.path == "repo_config:demo:blobs:stub"


def test_a_broken_package_is_named_where_its_kind_stands_in_the_pillar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "class half: read = 'half'"
    plugins.put(tmp_path, "bad-kind", code, {pointers.GROUP: {"half": "half"}})
    with (
        plugins.beside(tmp_path, monkeypatch),
        pytest.raises(
            ConfigError, match="kind of pointers half of package bad-kind 0.1 cannot be used"
        ) as caught,
    ):
        repo(Path("/srv/demo"), blobs={"half": []})
    assert caught.value.path == "repo_config:demo:blobs:half"
