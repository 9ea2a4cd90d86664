"""A store fetches one commit from another repository, by whatever the other side understands."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import DeployError, MovedTag, NoSuchTag, Unavailable

from tests.integration.gitserver import GitServer
from tests.support import remotes
from tests.support.repositories import Source, configure, git, tree

pytestmark = pytest.mark.component("git's daemon, ssh's, nginx and web servers, each asked by git")

#: Servers that choose what a client lacks.
SMART = ["file", "smart http", "nginx", "daemon", "ssh"]
BATCH = "-o BatchMode=yes"  # as a job of a minion, which has no terminal
THREE = [tree(a="1"), tree(a="2"), tree(a="3")]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "served").mkdir()
    made = Source(tmp_path / "served" / "source.git", *THREE)
    git(made.git_dir, "update-server-info")
    return made


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


@pytest.fixture
def dumb(tmp_path: Path) -> Iterator[str]:
    """An http server that knows files only."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def smart(tmp_path: Path) -> Iterator[str]:
    """An http server with git behind it."""
    with GitServer(tmp_path / "served").running() as server:
        yield f"{server.url}/web1"


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    """nginx with git behind it."""
    with remotes.nginx_with_git(tmp_path / "served", tmp_path / "nginx") as server:
        yield server


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    """git's own daemon."""
    with remotes.git_daemon(tmp_path / "served") as server:
        yield server


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host that lets in who has the deploy key."""
    with remotes.sshd(tmp_path / "ssh") as server:
        monkeypatch.setenv("PATH", f"{server.client()}:{os.environ['PATH']}")
        yield f"ssh://{server.name}{tmp_path}/served"


@pytest.fixture(params=["path", "file", "smart http", "dumb http", "nginx", "daemon", "ssh"])
def url(request: pytest.FixtureRequest, source: Source) -> str:
    """Where the source can be fetched from, in each of the ways that there are."""
    if request.param == "path":
        return str(source.git_dir)
    if request.param == "file":
        return f"file://{source.git_dir}"
    server = request.getfixturevalue(str(request.param).split()[0])
    return f"{server}/{source.git_dir.name}"


def counted(store: Repository) -> int:
    """How many commits lie in the store, held or not."""
    listed = git(store.git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
    return listed.split().count(b"commit")


def is_whole(store: Repository, commit: str) -> bool:
    command = ["git", f"--git-dir={store.git_dir}", "fsck", "--full", "--connectivity-only"]
    return store.kept() == [commit] and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize("number", [1, 2], ids=["annotated", "lightweight"])
@pytest.mark.parametrize("pinned", [True, False], ids=["the commit is known", "only the tag is known"])
def test_a_release_is_fetched(source: Source, store: Repository, url: str, number: int, pinned: bool) -> None:
    commit = source.tag(number).commit
    assert store.fetch(url, f"v{number}", commit if pinned else "") == commit
    assert is_whole(store, commit)
    assert git(store.git_dir, "show", f"{commit}:a") == f"{number + 1}".encode()
    kept = set(git(store.git_dir, "for-each-ref", "--format=%(refname)").decode().split())
    tag = (
        set() if pinned else {f"refs/deploy-tags/{source.tag(number).oid}"}
    )  # whoever asks for a tag may verify it
    assert kept == {f"refs/deploy/{commit}"} | tag


@pytest.mark.parametrize("url", SMART, indirect=True)
def test_the_history_stays_where_it_is(source: Source, store: Repository, url: str) -> None:
    store.fetch(url, "v2", source.tag(2).commit)
    assert counted(store) == 1


def test_a_second_release_is_fetched_beside_the_first(source: Source, store: Repository, url: str) -> None:
    for number in (0, 2):
        store.fetch(url, f"v{number}", source.tag(number).commit)
    assert sorted(store.kept()) == sorted(source.tag(number).commit for number in (0, 2))


@pytest.mark.parametrize("url", SMART, indirect=True)
def test_a_commit_whose_tag_has_moved_or_gone_is_fetched_by_its_id(
    source: Source, store: Repository, url: str
) -> None:
    """Where the server gives commits by their id; what was pinned is what is fetched."""
    commit = source.tag(1).commit
    git(source.git_dir, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(source.git_dir, "tag", "-d", "v1")
    assert store.fetch(url, "v1", commit) == commit


@pytest.fixture
def old_server(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives what it advertises, nothing by its id."""
    configure(monkeypatch, tmp_path / "home", "[protocol]\n version = 0\n")
    git(source.git_dir, "config", "uploadpack.allowAnySHA1InWant", "false")


@pytest.mark.usefixtures("old_server")
@pytest.mark.parametrize("url", ["file", "smart http"], indirect=True)
def test_a_server_that_gives_nothing_by_its_id_is_asked_for_the_tag(
    source: Source, store: Repository, url: str
) -> None:
    older = source.tag(1).commit  # v2 is built upon it: it is not the tip of any branch
    assert store.fetch(url, "v1", older) == older
    assert is_whole(store, older)


@pytest.mark.usefixtures("old_server")
@pytest.mark.parametrize("url", ["file", "smart http"], indirect=True)
def test_a_tag_that_was_moved_on_the_server_is_found(source: Source, store: Repository, url: str) -> None:
    """It gives nothing by its id, and the tag means another commit."""
    pinned = source.tag(1).commit
    git(source.git_dir, "tag", "-f", "v1", source.tag(0).commit)
    with pytest.raises(MovedTag) as caught:
        store.fetch(url, "v1", pinned)
    assert pinned in caught.value.cause
    assert source.tag(0).commit in caught.value.cause
    assert store.kept() == []
    assert git(store.git_dir, "for-each-ref") == b""


def test_a_tag_that_is_not_there_is_named(source: Source, store: Repository, url: str) -> None:
    with pytest.raises(NoSuchTag) as caught:
        store.fetch(url, "v9")
    assert url in caught.value.cause


def test_a_tag_of_a_tree_is_no_release(source: Source, store: Repository, url: str) -> None:
    git(source.git_dir, "tag", "odd", "v0^{tree}")
    git(source.git_dir, "update-server-info")
    with pytest.raises(NoSuchTag, match="names no commit"):
        store.fetch(url, "odd")
    assert store.kept() == []


def test_a_tag_whose_name_ends_like_another_ref_is_not_mistaken(source: Source, store: Repository) -> None:
    git(source.git_dir, "update-ref", "refs/x/refs/tags/v9", source.tag(0).commit)
    with pytest.raises(NoSuchTag):
        store.fetch(str(source.git_dir), "v9")


def test_a_repository_of_another_user_can_be_read(source: Source, store: Repository) -> None:
    """A minion is root, and the repository belongs to those who deploy."""
    if os.geteuid() != 0:
        assert source.git_dir.stat().st_uid == os.geteuid()  # nobody but root can give files away
        return
    for path in [source.git_dir, *source.git_dir.rglob("*")]:
        os.chown(path, 65534, 65534)
    for url in (str(source.git_dir), f"file://{source.git_dir}"):
        assert store.fetch(url, "v1", source.tag(1).commit) == source.tag(1).commit


@pytest.mark.parametrize("pinned", [True, False])
def test_a_repository_of_another_hash_makes_the_store_anew(
    tmp_path: Path, store: Repository, pinned: bool
) -> None:
    other = tmp_path / "sha256.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--object-format=sha256", str(other)], check=True)
    source = Source(other, *THREE)
    commit = source.tag(1).commit
    assert store.fetch(f"file://{other}", "v1", commit if pinned else "") == commit
    assert is_whole(store, commit)
    assert counted(store) == 1


def test_a_repository_in_many_pieces_is_kept_in_few(source: Source, store: Repository) -> None:
    for number in range(30):
        tree_oid = git(source.git_dir, "rev-parse", "v0^{tree}").decode().strip()
        commit = git(source.git_dir, "commit-tree", "-m", str(number), tree_oid).decode().strip()
        git(source.git_dir, "tag", f"n{number}", commit)
        store.fetch(str(source.git_dir), f"n{number}", commit)
    assert len(store.kept()) == 30
    assert len(list((store.git_dir / "objects" / "pack").glob("*.pack"))) <= 21


@pytest.mark.parametrize("which", [{"key": "strange_key"}, {"hosts": "known_to_nobody"}], ids=["key", "host"])
def test_a_host_that_does_not_know_us_or_that_we_do_not_know_is_named_and_nobody_is_asked(
    tmp_path: Path, source: Source, store: Repository, monkeypatch: pytest.MonkeyPatch, which: dict[str, str]
) -> None:
    with remotes.sshd(tmp_path / "ssh") as server:
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{server.client(**which)}/ssh {BATCH}")
        with pytest.raises(Unavailable) as caught:
            store.fetch(f"{server.name}:{source.git_dir}", "v1", source.tag(1).commit)
    assert "Permission denied" in caught.value.cause or "verification failed" in caught.value.cause
    assert store.kept() == []


# -- nobody there ---------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


NOBODY: list[Callable[[Path], str]] = [
    lambda place: str(place / "nowhere"),
    lambda place: f"file://{place}/nowhere",
    lambda place: f"http://127.0.0.1:{closed_port()}/x",
    lambda place: f"git://127.0.0.1:{closed_port()}/x",
    lambda place: f"ssh://127.0.0.1:{closed_port()}/x",
    lambda place: "https://nobody.invalid/x",
]


@pytest.mark.parametrize("where", NOBODY, ids=["path", "file", "http", "git", "ssh", "name"])
@pytest.mark.parametrize("commit", ["", "a" * 40], ids=["by tag", "by commit"])
def test_a_repository_that_cannot_be_reached_is_named(
    store: Repository, tmp_path: Path, where: Callable[[Path], str], commit: str
) -> None:
    url = where(tmp_path)
    with pytest.raises(Unavailable) as caught:
        store.fetch(url, "v1", commit)
    assert url in caught.value.cause
    assert 0 < caught.value.status <= 129  # git's own
    assert caught.value.next == f"git ls-remote {url} refs/tags/v1"


def test_a_page_that_is_no_repository_is_unavailable(
    tmp_path: Path, store: Repository, dumb: str, source: Source
) -> None:
    shutil.rmtree(source.git_dir)
    (tmp_path / "served" / "source.git").write_text("<html>moved</html>")
    with pytest.raises(Unavailable):
        store.fetch(f"{dumb}/source.git", "v1")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:{secret}@127.0.0.1:{port}/x",
        "http://{secret}@127.0.0.1:{port}/x",
        "git://me:{secret}@127.0.0.1:{port}/x",
        "ssh://me:{secret}@127.0.0.1:{port}/x",
        "https://me:{secret}@nobody.invalid/x",
    ],
)
@pytest.mark.parametrize("secret", ["s3cret", "s3cret%40more", "s3c@ret"])
def test_a_password_in_a_url_is_never_told(store: Repository, url: str, secret: str) -> None:
    with pytest.raises(DeployError) as caught:
        store.fetch(url.format(secret=secret, port=closed_port()), "v1", "a" * 40)
    told = f"{caught.value} {caught.value.to_wire()} {caught.value.__cause__}"
    assert "s3c" not in told
    assert "127.0.0.1" in told or "nobody.invalid" in told


def test_a_password_is_not_told_where_the_tag_is_missing(
    store: Repository, smart: str, source: Source
) -> None:
    url = smart.replace("://", "://me:s3cret@")
    with pytest.raises(NoSuchTag) as caught:
        store.fetch(f"{url}/{source.git_dir.name}", "v9")
    assert "s3cret" not in str(caught.value)
