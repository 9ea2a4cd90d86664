"""Whatever two releases are: the images of the one over the other's show what ``git checkout`` would make."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from saltdeploy.content import squashfs
from saltdeploy.content.images import Layers
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib import mounts

from tests.support.repositories import Source, Tree, bring_bundle, repo, snapshot
from tests.unit.layouts.strategies import histories

EXAMPLES = int(os.environ.get("SALTDEPLOY_EXAMPLES", "12"))


def images_of(source: Source, place: Path) -> Iterator[tuple[int, list[Path]]]:
    """Each release, and its images, the topmost first: the first release is the base of all."""
    base = place / "base"
    first = source.tag(0).commit
    squashfs.write_base(source.repository, first, base)
    yield 0, [base]
    for number in range(1, len(source.trees)):
        over = place / f"over{number}"
        squashfs.write_overlay(source.repository, first, source.tag(number).commit, over)
        yield number, [over, base]


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(trees=histories(most=3))
def test_a_slot_that_is_written_from_images_is_what_git_checks_out(trees: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        source = Source(place / "source", *trees)
        layout = Slots(repo(place / "live", slots=2))
        for number, images in images_of(source, place):
            bring_bundle(layout, source, number, "")
            release = source.release(number)
            layout.prepare(release, contents=Layers(images, place / "room"))
            layout.activate(release)
            assert snapshot(place / "live") == source.checked_out(number)


@pytest.mark.images
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
@given(trees=histories(most=4))
def test_what_is_mounted_is_what_git_checks_out(trees: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        source = Source(place / "source", *trees)
        for made in ("base", "over", "empty", "seen"):
            (place / "mounts" / made).mkdir(parents=True)
        seen = place / "mounts/seen"
        for number, images in images_of(source, place):
            layers = ["over", "base"] if number else ["base", "empty"]
            try:
                for image, layer in zip(images, layers, strict=False):
                    mounts.mount_image(image, seen.with_name(layer))
                mounts.mount_overlay(layers, seen.parent, seen)
                assert snapshot(seen) == source.checked_out(number)
            finally:
                for name in ("seen", *mounts.mounted(seen.parent)):
                    subprocess.run(["umount", "-q", str(seen.with_name(name))])
