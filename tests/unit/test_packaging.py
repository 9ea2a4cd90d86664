"""Where Salt finds the doors of a checkout; what a wheel carries is in tests/functional/test_distribution.py."""

from __future__ import annotations

from pathlib import Path

from saltdeploy import loader


def test_an_editable_install_finds_the_doors_in_the_checkout(checkout: Path) -> None:
    assert loader.dirs() == {kind: [str(checkout / f"_{kind}")] for kind in loader.KINDS}


def test_every_directory_of_doors_is_one_that_the_loader_tells_of(checkout: Path) -> None:
    doors = {path.name for path in checkout.glob("_*") if list(path.glob("*.py"))}
    assert doors == {f"_{kind}" for kind in loader.KINDS}


def test_no_directory_of_the_checkout_hides_a_directory_of_doors(checkout: Path) -> None:
    """Salt looks for ``states`` before ``_states``; ``pillar`` has ``pillar_dirs`` to help it."""
    hiding = {kind for kind in loader.KINDS if (checkout / kind).exists()}
    assert hiding <= {"pillar"}
