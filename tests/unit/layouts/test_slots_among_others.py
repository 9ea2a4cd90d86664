"""Whatever others write into whatever tree, however large it is: what is prepared is the release and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltdeploy.layouts.releases import Releases
from saltdeploy.layouts.slots import Slots
from saltdeploy.layouts.symlinked.prepare import SymlinkedLayout
from saltdeploy.lib import reflink

from tests.support.repositories import Source, Tree, bring, repo, snapshot
from tests.support.rounds import rounds
from tests.unit.layouts.strategies import NAMES, histories


def remove(at: Path) -> None:
    if os.path.isdir(at) and not at.is_symlink():
        shutil.rmtree(at)
    else:
        at.unlink()


def make_file(at: Path) -> None:
    new = at.with_name("made aside")
    new.write_bytes(b"evil")
    remove(at)
    os.rename(new, at)


def make_link(at: Path) -> None:
    remove(at)
    at.symlink_to("/")


def fill(at: Path) -> None:
    for name in NAMES[:3] if os.path.isdir(at) and not at.is_symlink() else ():
        if not os.path.lexists(os.fsencode(at) + b"/" + name):
            os.mkdir(os.fsencode(at) + b"/" + name)


def put_times_back(at: Path) -> None:
    before = at.parent.stat()
    make_file(at)
    os.utime(at.parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_into(at: Path) -> None:
    if os.path.isfile(at) and not at.is_symlink():
        with open(at, "r+b") as file:
            file.write(b"evil")


ANYWHERE: list[Callable[[Path], None]] = [remove, make_file, make_link, fill, put_times_back]


@settings(max_examples=rounds(12), suppress_health_check=list(HealthCheck))
@given(trees=histories(), of=st.sampled_from([Slots, Releases]), data=st.data())
def test_F46_a_prepared_tree_is_the_release_whatever_others_wrote(
    trees: list[Tree], of: type[SymlinkedLayout], data: st.DataObject
) -> None:
    clone, reflink.clone = reflink.clone, lambda *_: False  # by hard link, whatever this file system can do
    try:
        with tempfile.TemporaryDirectory() as directory:
            go(trees, of, data, Path(directory))
    finally:
        reflink.clone = clone


def go(trees: list[Tree], of: type[SymlinkedLayout], data: st.DataObject, place: Path) -> None:
    source = Source(place / "source", *trees)
    location = place / "live"
    layout = of(repo(location, stat_limit=0))
    for number in data.draw(st.lists(st.integers(0, len(trees) - 1), min_size=3, max_size=7), label="walk"):
        for _ in range(data.draw(st.integers(0, 3), label="writes")):
            spoil(layout, location, data)
        bring(layout, source, number)
        live = layout.holdings().live == source.tag(number).commit
        if live:  # what its users wrote is theirs until somebody looks
            layout.verify(full=True)
        layout.prepare(source.release(number))
        layout.activate(source.release(number))
        assert snapshot(location) == source.checked_out(number)


def spoil(layout: SymlinkedLayout, location: Path, data: st.DataObject) -> None:
    """Write into some tree; into a file as it is into the live one only, and somebody finds it."""
    homes = sorted(
        [*location.parent.glob(".live.deploy/slots/[0-9]"), *location.parent.glob(".live.deploy/releases/v*")]
    )
    if not homes:
        return
    at = data.draw(
        st.sampled_from([path for home in homes for path in [home, *sorted(home.rglob("*"))]]), label="at"
    )
    if Path(os.path.realpath(at)).is_relative_to(os.path.realpath(location)) and data.draw(
        st.booleans(), label="into it"
    ):
        write_into(at)
        layout.verify(full=True)
    elif at in homes:
        fill(at)
    elif os.path.lexists(at):
        data.draw(st.sampled_from(ANYWHERE), label="act")(at)
