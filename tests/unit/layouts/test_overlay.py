"""Releases that are mounted images or directories, on a kernel that mounts them. Each test has mounts of its own."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from pathlib import Path

import pytest
from saltdeploy import layouts
from saltdeploy.content import squashfs
from saltdeploy.content.slices import PathSlice
from saltdeploy.layouts.overlay.mount import Mounted
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.lib import mounts
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import ConfigError, Corrupt, NotReady, Unsupported
from saltdeploy.minion import own_orders, stages
from saltdeploy.protocol import seals
from saltdeploy.protocol.orders import CHECKOUT, Order

from tests.support.repositories import FILE, GITLINK, Entry, Source, Tree, link, repo, tree
from tests.support.signing import generate, public_pem
from tests.support.travels import RELEASES, Traveller

pytestmark = pytest.mark.component("the kernel mounts images and overlays")

SMALL: list[Tree] = [
    {**tree(a="1", dir__old="o"), b"big": Entry(FILE, os.urandom(1 << 16)), b"mod": Entry(GITLINK, b"1" * 40),
     **tree(**{f"same{n}": str(n) for n in range(8)})},
]  # fmt: skip
SMALL += [{**SMALL[0], b"a": Entry(FILE, b"%d" % n), b"link": link("a")} for n in (2, 3, 4, 5)]


class Host(Traveller):
    """A target of layout ``overlay``."""

    def __init__(self, place: Path, source: Source, transport: str = "squashfs", **keys: object) -> None:
        super().__init__(place, source, transport, layout="overlay", **keys)

    def goes_to(self, number: int) -> None:
        for result in self.travel(number):
            assert result.ok, result.error
        assert self.shows(number), number

    @property
    def releases(self) -> Path:
        return self.repo.paths.area / "mounts"

    def mounted(self) -> set[str]:
        """The commits of which a mount is there."""
        return {name[:40] for name in mounts.mounted(self.releases)}

    def commits(self, *numbers: int) -> set[str]:
        return {self.source.tag(number).commit for number in numbers}

    def reboots(self) -> None:
        for directory in (self.releases, self.repo.paths.area / "layers"):
            for name in mounts.mounted(directory):
                subprocess.run(["umount", str(directory / name)], check=True)

    def has_no_network(self) -> None:
        self.carrier.spoil = lambda path: pytest.fail("the network was used")  # type: ignore[assignment]


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Host:
    """One that gets images, unless the test says otherwise."""
    transport = getattr(request, "param", "squashfs")
    return Host(tmp_path / "host", Source(tmp_path / "source.git", *SMALL), transport)


both = pytest.mark.parametrize("host", ["squashfs", "bundle"], indirect=True)


@pytest.mark.images
@pytest.mark.parametrize("transport", ["squashfs", "bundle", "git"])
def test_each_release_is_what_git_would_check_out(tmp_path: Path, transport: str) -> None:
    """First install, upgrade, a skip, swaps, deletions, downgrades, a way back: each over the layers of others."""
    host = Host(tmp_path / "host", Source(tmp_path / "source.git", *RELEASES), transport)
    for number in (0, 1, 3, 2, 0, 1, 2):
        host.goes_to(number)
    assert not list(host.cache.rglob("incoming/*"))
    host.has_no_network()
    assert host.go_back(1).ok
    assert host.shows(1)


@pytest.mark.images
def test_releases_that_nobody_needs_are_unmounted_and_their_images_deleted(host: Host) -> None:
    for number in range(5):
        host.goes_to(number)
    assert host.mounted() == host.commits(2, 3, 4)
    layers = mounts.mounted(host.repo.paths.area / "layers")
    kept = {path.stem for path in (host.repo.paths.area / "layers").glob("*.img")}
    assert len(kept) == 4  # the base, and three over it
    assert set(layers) == kept
    assert sum(path.stat().st_size for path in host.repo.paths.area.rglob("layers/*.img")) < 1 << 17


@pytest.mark.images
@both
def test_a_release_that_a_process_uses_stays_mounted_until_it_is_left(host: Host) -> None:
    host.goes_to(0)
    with open(host.location / "a") as file:
        for number in (1, 2, 3):
            host.goes_to(number)
        assert host.mounted() == host.commits(0, 1, 2, 3)
        assert file.read() == "1"
    host.goes_to(4)
    assert host.mounted() == host.commits(2, 3, 4)


@pytest.mark.images
@both
def test_after_a_reboot_the_next_fetch_mounts_again_without_the_network(host: Host) -> None:
    host.goes_to(0)
    host.goes_to(1)
    host.reboots()
    holdings = stages.status(host.repo, host.host).holdings
    assert (holdings.live, holdings.previous) == ("", "")
    assert set(holdings.held) == host.commits(0, 1)
    with pytest.raises(NotReady):
        layouts.of(host.repo).verify(full=False)
    host.has_no_network()
    order = own_orders.order_from_disk("v1", host.repo, host.host)
    assert order is not None
    assert host.run(order).ok
    holdings = stages.status(host.repo, host.host).holdings
    assert {holdings.live} == host.commits(1)
    assert host.shows(1)
    host.reboots()  # in the middle of a deploy, say
    assert host.go_back(0).ok
    assert host.shows(0)


@pytest.mark.images
@both
def test_the_first_install_keeps_what_was_there_and_cannot_be_written_into(host: Host) -> None:
    host.location.mkdir(parents=True)
    (host.location / "theirs").write_text("kept")
    host.goes_to(0)
    [aside] = host.location.parent.glob("demo.*")
    assert (aside / "theirs").read_text() == "kept"
    with pytest.raises(OSError, match="Read-only"):
        (host.location / "a").write_text("x")


@pytest.mark.images
def test_an_image_that_was_damaged_is_never_mounted_and_comes_again(host: Host) -> None:
    host.goes_to(0)
    host.goes_to(1)
    host.reboots()
    for image in (host.repo.paths.area / "layers").glob("*.img"):
        image.chmod(0o600)
        with open(image, "r+b") as file:
            file.seek(100)
            file.write(b"damage")
    host.goes_to(1)
    assert host.received[-1]["bytes"] > 1 << 16


def layers(host: Host) -> dict[str, Path]:
    """The layers that are directories."""
    home = host.repo.paths.area / "layers"
    return {path.name: path for path in home.iterdir() if path.is_dir() and "-" in path.name}


@pytest.mark.images
@pytest.mark.parametrize("host", ["bundle"], indirect=True)
def test_a_directory_holds_what_differs_from_the_base_and_goes_with_its_release(host: Host) -> None:
    for number in range(5):
        host.goes_to(number)
    commits = [host.source.tag(number).commit for number in range(5)]
    over = {f"over-{commits[0]}-{commits[number]}" for number in (2, 3, 4)}
    assert set(layers(host)) == {f"base-{commits[0]}", *over}
    names = {path.name for path in layers(host)[f"over-{commits[0]}-{commits[4]}"].iterdir()}
    assert names == {"a", "link"}
    records = {path.stem for path in (host.repo.paths.area / "layers").glob("*.db")}
    assert records == set(layers(host))


@pytest.mark.images
def test_a_release_that_differs_much_is_a_base_of_its_own(tmp_path: Path) -> None:
    source = Source(
        tmp_path / "s.git", tree(a="1", b="1", c="1"), tree(a="2", b="2", d="1"), tree(a="2", b="2", d="2")
    )
    host = Host(tmp_path / "host", source, "bundle")
    for number in range(3):
        host.goes_to(number)
    assert {name[:5] for name in layers(host)} == {"base-"}


@pytest.mark.images
@pytest.mark.parametrize("host", ["bundle"], indirect=True)
@pytest.mark.parametrize("kind", ["base-", "over-"])
def test_a_directory_that_somebody_wrote_into_is_found_and_made_anew(host: Host, kind: str) -> None:
    host.goes_to(0)
    host.goes_to(1)
    [layer] = [path for name, path in layers(host).items() if name.startswith(kind)]
    spoilt = {"base-": "big", "over-": "a"}[kind]
    (layer / spoilt).write_bytes(b"spoilt")
    parts = [layouts.of(host.repo).verify(full=False, part=PathSlice(n, 3)).changed for n in (1, 2, 3)]
    assert sorted(parts) == [[], [], [spoilt]]
    assert layouts.of(host.repo).verify(full=True).changed == [spoilt]
    assert layouts.of(host.repo).holdings().damaged
    host.goes_to(1)
    assert not layouts.of(host.repo).holdings().damaged


@pytest.mark.images
@pytest.mark.parametrize("host", ["bundle"], indirect=True)
@pytest.mark.parametrize("number", [0, 1, 2, 3], ids=["base", "before", "same", "new"])
def test_F45_no_release_is_shown_over_a_layer_that_is_known_to_be_spoilt(host: Host, number: int) -> None:
    for earlier in range(3):
        host.goes_to(earlier)
    [base] = [path for name, path in layers(host).items() if name.startswith("base-")]
    (base / "big").write_bytes(b"spoilt")
    assert layouts.of(host.repo).verify(full=True).changed == ["big"]
    assert layouts.of(host.repo).holdings().held == ()
    host.goes_to(number)


# -- several releases at once -----------------------------------------------------------------------------

ASSETS: list[Tree] = [
    {**tree(**{f"same{n}": str(n) for n in range(16)}), **tree(index=str(n), **{f"asset{n}": "x"})}
    for n in range(6)
]


def static_host(place: Path, transport: str, visible: int = 3) -> Host:
    source = Source(place / "source.git", *ASSETS)
    return Host(place / "host", source, transport, visible_releases=visible)


def assets(host: Host) -> set[str]:
    return {path.name for path in host.location.iterdir() if path.name.startswith("asset")}


def comes_to(host: Host, number: int) -> None:
    for result in host.travel(number):
        assert result.ok, result.error
    assert (host.location / "index").read_text() == str(number)
    assert stages.status(host.repo, host.host).holdings.live == host.source.tag(number).commit
    assert stages.verify(host.repo, host.host, full=True).ok


@pytest.mark.images
@pytest.mark.parametrize("transport", ["squashfs", "bundle"])
def test_files_of_older_releases_are_seen_below_those_of_the_live_one(tmp_path: Path, transport: str) -> None:
    host = static_host(tmp_path, transport)
    for number in range(5):
        comes_to(host, number)
        assert assets(host) == {f"asset{n}" for n in range(max(0, number - 2), number + 1)}
    shown = {name for name in mounts.mounted(host.releases) if name.startswith("shown-")}
    assert len(shown) <= 2  # the live one, and the one that it replaced
    host.has_no_network()
    assert host.go_back(3).ok
    assert (host.location / "index").read_text() == "3"
    assert assets(host) == {"asset2", "asset3", "asset4"}
    assert not list(host.location.parent.glob("demo.2*"))  # nothing was taken for somebody else's link


@pytest.mark.images
def test_after_a_reboot_older_releases_are_seen_again(tmp_path: Path) -> None:
    host = static_host(tmp_path, "bundle")
    for number in range(3):
        comes_to(host, number)
    host.reboots()
    assert stages.status(host.repo, host.host).holdings.live == ""
    host.has_no_network()
    comes_to(host, 2)
    assert assets(host) == {"asset0", "asset1", "asset2"}


@pytest.mark.images
def test_a_reader_of_an_older_union_is_not_disturbed(tmp_path: Path) -> None:
    host = static_host(tmp_path, "bundle", visible=2)
    for number in (0, 1):
        comes_to(host, number)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=host.location.resolve()) as reader:
        for number in (2, 3, 4, 5):
            comes_to(host, number)
        seen = Path(f"/proc/{reader.pid}/cwd")
        assert (seen / "index").read_text() == "1"
        assert (seen / "asset0").read_text() == "x"
        reader.kill()


@pytest.mark.images
def test_the_number_of_releases_that_are_seen_may_change(tmp_path: Path) -> None:
    host = static_host(tmp_path, "bundle")
    for number in range(3):
        comes_to(host, number)
    host.repo = dataclasses.replace(
        host.repo, layout=dataclasses.replace(host.repo.layout, visible_releases=1)
    )
    comes_to(host, 2)
    assert assets(host) == {"asset2"}
    host.repo = dataclasses.replace(
        host.repo, layout=dataclasses.replace(host.repo.layout, visible_releases=2)
    )
    comes_to(host, 2)
    assert assets(host) == {"asset1", "asset2"}


@pytest.mark.images
def test_a_file_of_the_live_release_that_was_spoilt_is_found_in_a_union(tmp_path: Path) -> None:
    host = static_host(tmp_path, "bundle")
    for number in range(2):
        comes_to(host, number)
    [over] = [path for name, path in layers(host).items() if name.startswith("over-")]
    (over / "index").write_text("spoilt")
    assert layouts.of(host.repo).verify(full=True).changed == ["index"]


def test_a_layout_that_shows_one_release_refuses_to_show_several(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(tmp_path / "live", visible_releases=2)
    assert caught.value.path == "repo_config:demo:visible_releases"


# -- garbage ----------------------------------------------------------------------------------------------


@pytest.mark.images
@both
def test_garbage_is_told_first_and_what_is_live_stays(host: Host) -> None:
    for number in range(5):
        host.goes_to(number)
    few = layouts.of(dataclasses.replace(host.repo, layout=dataclasses.replace(host.repo.layout, slots=2)))
    told, done = Cleanup(test=True), Cleanup()
    few.collect(told, ())
    assert host.mounted() == host.commits(2, 3, 4)
    few.collect(done, ())
    assert host.mounted() == host.commits(3, 4)
    freed = done.freed()
    kind = {"squashfs": "images", "bundle": "layers"}[host.transport]
    assert freed[kind] == told.freed()[kind] > 0
    assert host.shows(4)
    host.has_no_network()
    assert host.go_back(3).ok
    assert host.shows(3)


@pytest.mark.images
@both
def test_a_live_release_that_differs_is_told_and_made_anew_beside_it(host: Host) -> None:
    host.goes_to(0)
    over = host.location.parent / "over"
    over.mkdir()
    (over / "a").write_text("not what it was")
    live = host.location.resolve()
    seen = mounts.mounted(host.releases)[live.name]
    subprocess.run(["mount", "--bind", str(over / "a"), str(live / "a")], check=True)
    findings = layouts.of(host.repo).verify(full=True)
    assert findings.changed == ["a"]
    host.goes_to(0)
    assert host.location.resolve() != live
    assert mounts.mounted(host.releases)[live.name] == seen  # its readers are not disturbed


@pytest.mark.images
def test_a_live_release_that_one_came_back_to_is_compared_as_well(host: Host) -> None:
    for number in (0, 1):
        host.goes_to(number)
    assert host.go_back(0).ok
    assert layouts.of(host.repo).verify(full=True).ok
    host.goes_to(1)
    assert host.go_back(0).ok
    over = host.location.parent / "over"
    over.write_text("not what it was")
    subprocess.run(["mount", "--bind", str(over), str(host.location.resolve() / "a")], check=True)
    assert layouts.of(host.repo).verify(full=True).changed == ["a"]


@pytest.mark.images
@pytest.mark.parametrize(("path", "asked"), [(b"a", False), (b"big", False), (b"big", True)])
def test_images_with_other_bytes_than_the_release_has(
    path: bytes, asked: bool, host: Host, tmp_path: Path
) -> None:
    """A file that has changed is read in any case; one that has not, where signatures are asked for, or by ``verify``."""
    key = generate(tmp_path / "key.pem")
    host.goes_to(0)
    if asked:
        keys = (seals.public_key(public_pem(key)),)
        host.repo = dataclasses.replace(
            host.repo, trust=dataclasses.replace(host.repo.trust, release_keys=keys, signing_key=str(key))
        )
    asks = host.order_for(1)
    evil = Source(tmp_path / "evil.git", SMALL[0], {**SMALL[1], path: Entry(FILE, b"evil")})
    commits = [evil.tag(number).commit for number in (0, 1)]
    image = host.payloads.find_or_pack(
        "evil", *commits, lambda file: squashfs.write_overlay(evil.repository, *commits, file), "overlay"
    )
    payloads = [dataclasses.replace(image, base=p.base) if p.kind == "overlay" else p for p in asks.payloads]
    fetched = host.run(dataclasses.replace(asks, payloads=tuple(payloads)))
    if path == b"a" or asked:
        assert isinstance(fetched.error, Corrupt)
        assert path.decode() in fetched.error.cause
        assert asks.release.commit not in fetched.holdings.held
        assert host.shows(0)
    else:
        assert fetched.ok
        assert host.run(dataclasses.replace(asks, stage=CHECKOUT)).ok
        assert layouts.of(host.repo).verify(full=True).changed == ["big"]


@pytest.mark.images
@both
def test_killed_at_any_step_and_run_again(host: Host) -> None:
    host.goes_to(0)
    own = {"squashfs": (mounts, "mount_image"), "bundle": (WorkTree, "apply")}
    steps = [
        own[host.transport],
        (mounts, "mount_overlay"),
        (Mounted, "begin"),
        (Mounted, "note"),
    ]
    for number, (owner, name) in enumerate(steps, 1):
        order = dataclasses.replace(host.order_for(number), deploy=f"{900 + number:020d}")
        for when in ("before", "after"):
            child = os.fork()
            if child == 0:
                try:
                    step = getattr(owner, name)
                    setattr(owner, name, lambda *given, step=step, when=when: _die(step, given, when))
                    host.run(order)
                finally:
                    os._exit(0)
            _, status = os.waitpid(child, 0)
            assert os.WTERMSIG(status) == signal.SIGKILL, (name, when)
            assert host.shows(number - 1), (name, when)
        host.goes_to(number)
    assert not list(host.repo.paths.area.rglob("*.part"))


def _die(step, given, when: str) -> None:  # type: ignore[no-untyped-def]
    if when == "after":
        step(*given)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.images
@both
def test_from_slots_to_mounts_and_back(host: Host) -> None:
    mounting = host.repo
    host.repo = dataclasses.replace(mounting, layout=dataclasses.replace(mounting.layout, name="slots"))
    host.goes_to(0)
    host.repo = mounting
    host.goes_to(1)
    host.repo = dataclasses.replace(mounting, layout=dataclasses.replace(mounting.layout, name="slots"))
    host.goes_to(2)


def test_a_host_that_may_not_mount_is_told_what_to_choose(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "bin/mount"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\necho 'mount: permission denied' >&2\nexit 32\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing.parent}:{os.environ['PATH']}")
    error = host.fetch(0).error
    assert isinstance(error, Unsupported)
    assert "permission denied" in error.cause
    assert "choose layout slots" in error.next
    assert not host.location.exists()


def test_another_transport_is_refused_before_anything_is_brought(host: Host) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(host.location, layout="overlay", transport="rsync")
    assert caught.value.path == "repo_config:demo:transport"
    host.transport = "tar"  # for once, on the command line
    error = host.fetch(0).error
    assert isinstance(error, ConfigError)
    assert "bundle or git or squashfs" in error.next
    assert host.carrier.fetched == []


def test_what_is_not_in_images_is_refused(tmp_path: Path, host: Host) -> None:
    """They hold what git checks out: pointers would be shown instead of what they point to."""
    blobs = {"lfs": "https://lfs.example.org/demo"}
    host.repo = repo(host.location, layout="overlay", transport="squashfs", blobs=blobs)
    assert isinstance(host.fetch(0).error, Unsupported)


def test_a_release_that_was_not_fetched_cannot_be_switched_to(host: Host) -> None:
    result = host.run(Order("9" * 20, 1, CHECKOUT, host.source.release(0)))
    assert isinstance(result.error, NotReady)


def test_mounts_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    assert mounts.mounted(Path("/"))["proc"].kind == "proc"
    assert mounts.mounted(tmp_path) == {}
