"""Submodules are part of the release: the same slot, the same record, the same switch."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.content.exports import Exports
from saltdeploy.lib.errors import Corrupt, NotAsRecorded, Unavailable
from saltdeploy.master.payloads import packing
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.minion import stages
from saltdeploy.protocol.orders import FETCH, Order, Payload

from tests.support.blobstores import fill, lfs
from tests.support.guarding import refuse_dangerous
from tests.support.repositories import FILE, GITLINK, Entry, Source, Tree, link, repo, snapshot, tree
from tests.support.targets import Target
from tests.support.travels import TRANSPORTS, Traveller, rsync_daemon

pytestmark = pytest.mark.component("rsync's daemon, and repositories in repositories by every transport")


def recorded(source: Source, number: int) -> Entry:
    return Entry(GITLINK, source.tag(number).commit.encode())


def entries(*paths: bytes) -> Tree:
    return {path: Entry(FILE, b"same") for path in paths}


def modules(**paths: str) -> Tree:
    """``.gitmodules``: path (``__`` stands for ``/``) to URL."""
    text = "".join(
        f'[submodule "m{n}"]\npath = {path.replace("__", "/")}\nurl = {url}\n'
        for n, (path, url) in enumerate(paths.items())
    )
    return {b".gitmodules": Entry(FILE, text.encode())}


class Nested:
    """``site`` with ``lib`` in it, and ``deep`` in that; bare repositories beside each other.

    Attributes:
        site: eight releases; see ``there`` for the files of each, without ``.gitmodules``.
    """

    def __init__(self, place: Path) -> None:
        self.deep = Source(place / "deep", tree(d="d0"), tree(d="d1", e="e1"))
        deep = modules(deep="../deep")
        self.lib = Source(
            place / "lib",
            {**tree(l="l0"), **deep, b"deep": recorded(self.deep, 0)},
            {**tree(l="l1"), **deep, b"deep": recorded(self.deep, 1)},
            tree(l="l2"),
        )
        site = modules(lib="../lib")
        moved = modules(ext__lib="../lib")
        self.site = Source(
            place / "site",
            {**tree(a="0"), **site, b"lib": recorded(self.lib, 0)},
            {**tree(a="1"), **site, b"lib": recorded(self.lib, 1)},
            {**tree(a="2"), **moved, b"ext/lib": recorded(self.lib, 2)},
            tree(a="3", lib="a file now"),
            {**tree(a="4"), b"lib": link("a")},
            {**tree(a="5"), **site, b"lib": recorded(self.lib, 1)},
            # git has lib before these two, and its files stand behind them
            {**tree(a="6", lib__l="a directory now", lib__deep__f="f"), **entries(b"lib-x", b"lib.y")},
            {**tree(a="7"), **entries(b"lib-x", b"lib.y"), **site, b"lib": recorded(self.lib, 0)},
        )
        self.there: list[dict[str, str]] = [
            {"a": "0", "lib/l": "l0", "lib/deep/d": "d0"},
            {"a": "1", "lib/l": "l1", "lib/deep/d": "d1", "lib/deep/e": "e1"},
            {"a": "2", "ext/lib/l": "l2"},
            {"a": "3", "lib": "a file now"},
            {"a": "4", "lib": "4"},
            {"a": "5", "lib/l": "l1", "lib/deep/d": "d1", "lib/deep/e": "e1"},
            {"a": "6", "lib/l": "a directory now", "lib/deep/f": "f", "lib-x": "same", "lib.y": "same"},
            {"a": "7", "lib/l": "l0", "lib/deep/d": "d0", "lib-x": "same", "lib.y": "same"},
        ]


@pytest.fixture(scope="session")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Nested:
    return Nested(tmp_path_factory.mktemp("nested"))


class Host(Target):
    """A target whose master packs submodules as well."""

    def __init__(self, place: Path, source: Source, **keys: Any) -> None:
        known = {"source": str(source.git_dir), "url": str(source.git_dir), "checkout_submodules": True}
        super().__init__(place, source)
        self.repo = repo(self.location, **{**known, **keys})
        self.root = place / "master"

    def order(self, number: int, stage: str = FETCH, **options: Any) -> Order:
        holdings = stages.status(self.repo, self.host).holdings
        order = super().order(number, stage, **{**options, "bases": []})
        packed: tuple[Payload, ...] = ()
        source = master_source.Source(self.repo, self.root)
        if stage == FETCH:
            packed = packing.pack(
                order, self.repo, source, self.payloads, source.tag(f"v{number}"), [holdings]
            )
        seal = Sealer(self.repo, self.root).seal(order.release, source, order.transport)
        return Order(**{**order.__dict__, "payloads": packed, "seal": seal})

    def files(self) -> dict[str, str]:
        return files_below(self.location)


def files_below(place: Path) -> dict[str, str]:
    found = {}
    for path in place.rglob("*"):
        if path.is_file() and path.name != ".gitmodules":
            found[str(path.relative_to(place))] = path.read_text()
    return found


@pytest.fixture(params=TRANSPORTS)
def host(request: pytest.FixtureRequest, nested: Nested, tmp_path: Path) -> Iterator[Host]:
    with rsync_daemon(tmp_path / "exports") as url:
        made = Host(tmp_path, nested.site, transport=request.param, rsync_url=url)
        made.payloads.exports = Exports(tmp_path / "exports")
        yield made


def holds(host: Host, nested: Nested, number: int) -> None:
    assert all(result.ok for result in host.deploy(number))
    assert host.files() == nested.there[number]
    assert not list(host.location.rglob(".git"))
    assert stages.verify(host.repo, host.host, full=True).ok


@pytest.mark.parametrize(
    "walk", [(0, 1, 2, 3, 4, 5, 6, 7), (7, 6, 5, 4, 3, 2, 1, 0), (1, 6, 3, 7, 1, 2, 4, 0)]
)
def test_submodules_come_change_move_and_go_with_their_release(
    walk: tuple[int, ...], host: Host, nested: Nested
) -> None:
    for number in walk:
        holds(host, nested, number)


def test_a_host_goes_from_one_transport_to_another(nested: Nested, tmp_path: Path) -> None:
    host = Traveller(tmp_path, nested.site, "bundle", checkout_submodules=True)
    for step, host.transport in enumerate(["bundle", "tar", "delta", "bundle", "squashfs", "tar", "bundle"]):
        number = (0, 1, 5, 2)[step % 4]
        for result in host.travel(number):
            assert result.ok, (step, host.transport, result.error)
        assert files_below(host.location) == nested.there[number]


def test_a_host_that_is_behind_gets_what_differs(nested: Nested, tmp_path: Path) -> None:
    host = Host(tmp_path, nested.site)
    host.deploy(0)
    fetched, _ = host.deploy(1)
    assert fetched.facts["base"] == nested.site.tag(0).commit


def test_a_change_in_a_submodule_is_found(nested: Nested, tmp_path: Path) -> None:
    host = Host(tmp_path, nested.site)
    host.deploy(1)
    (host.location / "lib/deep/e").write_text("other")
    assert stages.verify(host.repo, host.host, full=False).changed == ["lib/deep/e"]
    holds(host, nested, 1)


def test_targets_need_no_other_network_with_bundles(nested: Nested, tmp_path: Path) -> None:
    host = Host(tmp_path, nested.site)
    order = host.order(1)
    host.repo = repo(host.location, checkout_submodules=True, url="https://127.0.0.1:1/nothing")
    assert host.run(order).ok


def test_trees_of_before_submodules_were_asked_for_are_made_anew(nested: Nested, tmp_path: Path) -> None:
    host = Host(tmp_path, nested.site, checkout_submodules=False)
    for number in (0, 1):
        host.deploy(number)
    assert host.files() == {"a": "1"}
    host.repo = repo(host.location, source=str(nested.site.git_dir), checkout_submodules=True)
    for number in (1, 0):
        holds(host, nested, number)


def test_what_no_release_needs_is_dropped(host: Host, nested: Nested) -> None:
    for number in (0, 2, 3, 4, 3):
        host.deploy(number)
    store = stages.layouts.of(host.repo).store
    assert store.parts(nested.site.tag(0).commit) == []
    assert not store.has(nested.site.tag(0).commit)


def test_pointers_in_submodules_get_their_contents(tmp_path: Path) -> None:
    content = b"content" * 100
    fill(tmp_path / "objects", lfs(content), content)
    lib = Source(tmp_path / "lib", {b"blob": lfs(content)})
    site = Source(tmp_path / "site", {**modules(lib="../lib"), b"lib": recorded(lib, 0)})
    host = Host(tmp_path, site, blobs={"lfs": str(tmp_path / "objects")})
    assert all(result.ok for result in host.deploy(0))
    assert (host.location / "lib/blob").read_bytes() == content


def test_the_same_tree_as_git_makes(nested: Nested, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    allow = ["-c", "protocol.file.allow=always"]
    subprocess.run(["git", *allow, "clone", "-q", "-b", "v1", "--recursive", "--", nested.site.git_dir, clone], check=True,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    host = Host(tmp_path, nested.site)
    host.deploy(1)
    assert snapshot(host.location) == {
        p: e for p, e in snapshot(clone).items() if b".git" not in p.split(b"/")
    }


# -- trouble ------------------------------------------------------------------------------------------------

UNKNOWN = Entry(GITLINK, b"1" * 40)
BROKEN: dict[str, tuple[Tree, str, type[Exception]]] = {
    "a commit that nobody has": ({**modules(lib="../lib"), b"lib": UNKNOWN}, "lib", Unavailable),
    "a repository that is not there": ({**modules(lib="../gone"), b"lib": UNKNOWN}, "lib", Unavailable),
    "no word in .gitmodules": ({b"x/lib": UNKNOWN}, "x/lib", Corrupt),
    "a path of this host": ({**modules(lib="/etc"), b"lib": UNKNOWN}, "lib", Corrupt),
    "a program": ({**modules(lib="ext::sh -c id"), b"lib": UNKNOWN}, "lib", Corrupt),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_master_refuses_a_submodule_that_cannot_be_had(case: str, nested: Nested, tmp_path: Path) -> None:
    files, path, kind = BROKEN[case]
    site = Source(nested.site.git_dir.parent / tmp_path.name, {**tree(a="0"), **files})
    host = Host(tmp_path, site)
    with pytest.raises(kind) as refused:
        host.order(0)
    assert refused.value.path == path  # type: ignore[attr-defined]
    assert refused.value.next  # type: ignore[attr-defined]


def staged(nested: Nested, place: Path) -> Path:
    """A staging tree of ``v0`` with its submodules."""
    git = ["git", "-c", "protocol.file.allow=always"]
    command = ["clone", "-q", "-b", "v0", "--recursive", "--", str(nested.site.git_dir), str(place)]
    subprocess.run([*git, *command], check=True, stderr=subprocess.DEVNULL)
    return place


def guarded(place: Path, root: Path, tag: str, *, force: bool = False) -> None:
    """What a deploy from a staging tree asks the guards."""
    found = repo(root / "live", source=str(place), checkout_submodules=True)
    source = master_source.Source(found, root)
    refuse_dangerous(found, source, source.tag(tag), "", force=force)


def test_a_staging_tree_whose_submodules_are_not_at_the_recorded_commits_is_refused(
    nested: Nested, tmp_path: Path
) -> None:
    place = staged(nested, tmp_path / "staging")
    guarded(place, tmp_path, "v0")
    other = nested.lib.tag(1).commit
    subprocess.run(["git", "-C", str(place / "lib"), "checkout", "--quiet", other], check=True)
    with pytest.raises(NotAsRecorded, match=other) as refused:
        guarded(place, tmp_path, "v0")
    assert refused.value.path == str(place / "lib")
    assert "submodule update" in refused.value.next
    guarded(place, tmp_path, "v0", force=True)
    guarded(place, tmp_path, "v1")  # is not what is checked out


def test_a_submodule_that_was_never_checked_out_misleads_nobody(nested: Nested, tmp_path: Path) -> None:
    place = staged(nested, tmp_path / "staging")
    subprocess.run(["git", "-C", str(place), "submodule", "--quiet", "deinit", "--all"], check=True)
    guarded(place, tmp_path, "v0")


@pytest.mark.parametrize("case", BROKEN)
def test_a_target_refuses_a_submodule_that_cannot_be_had(case: str, nested: Nested, tmp_path: Path) -> None:
    files, path, kind = BROKEN[case]
    site = Source(nested.site.git_dir.parent / tmp_path.name, tree(a="0"), {**tree(a="1"), **files})
    host = Target(tmp_path, site, transport="git", url=str(site.git_dir), checkout_submodules=True)
    assert all(result.ok for result in host.deploy(0))
    fetched, _ = host.deploy(1)
    assert fetched.error is not None
    assert (fetched.error.kind, fetched.error.path) == (kind.kind, path)  # type: ignore[attr-defined]
    assert (host.location / "a").read_text() == "0"


def test_a_payload_without_the_submodule_is_refused(nested: Nested, tmp_path: Path) -> None:
    host = Target(tmp_path, nested.site, checkout_submodules=True)
    fetched, _ = host.deploy(0)
    assert fetched.error is not None
    assert (fetched.error.kind, fetched.error.path) == ("corrupt", "lib")


def test_a_commit_that_is_on_no_branch_is_fetched_by_its_id(tmp_path: Path) -> None:
    lib = Source(tmp_path / "lib", tree(l="l0"), tree(l="l1"))
    commit = recorded(lib, 1)
    for ref in ("refs/tags/v1", "refs/heads/main"):
        subprocess.run(["git", f"--git-dir={lib.git_dir}", "update-ref", "-d", ref], check=True)
    subprocess.run(
        ["git", f"--git-dir={lib.git_dir}", "config", "uploadpack.allowAnySHA1InWant", "true"], check=True
    )
    site = Source(tmp_path / "site", {**modules(lib="../lib"), b"lib": commit})
    host = Host(tmp_path, site)
    assert all(result.ok for result in host.deploy(0))
    assert host.files() == {"lib/l": "l1"}


def test_rewriting_leads_to_another_place(nested: Nested, tmp_path: Path) -> None:
    url = "https://git.example.org/x/lib"
    site = Source(tmp_path / "site", {**modules(lib=url), b"lib": recorded(nested.lib, 2)})
    host = Host(
        tmp_path, site, submodule_urls={"https://git.example.org/x/": f"{nested.lib.git_dir.parent}/"}
    )
    assert all(result.ok for result in host.deploy(0))
    assert host.files() == {"lib/l": "l2"}
