"""Names of shared paths: what a tree can hold, apart from each other, and at a place that nobody deletes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol import seals

from tests.support.repositories import repo


@pytest.mark.parametrize(
    ("shared", "word"),
    [
        ([], "table"),
        ({"dirz": []}, "dirs"),
        ({"dirs": "uploads"}, "list"),
        ({"dirs": ["/uploads"]}, "slash at its begin"),
        ({"dirs": ["a/../b"]}, "two dots"),
        ({"dirs": [".."]}, "two dots"),
        ({"files": ["."]}, "dot"),
        ({"files": [""]}, "not empty"),
        ({"files": ["a//b"]}, "empty"),
        ({"files": [".git/config"]}, ".git"),
        ({"files": ["x\ny"]}, "path"),
        ({"files": ["x" * 300]}, "bytes"),
        ({"files": [7]}, "text"),
        ({"dirs": ["var", "var/cache"]}, "within var"),
        ({"dirs": ["var/cache"], "files": ["var"]}, "within var"),
        ({"dirs": ["a"], "files": ["a"]}, "twice"),
        ({"dirs": ["a", "a/"]}, "twice"),
        ({"dirs": ["a"], "place": "data"}, "absolute"),
        ({"dirs": ["a"], "place": "/srv/../etc"}, "absolute"),
        ({"dirs": ["a"], "place": "/srv/www/demo/data"}, "lies in"),
        ({"dirs": ["a"], "place": "/srv/www/.demo.deploy/slots"}, "lies in"),
        ({"dirs": ["a"], "place": "/srv/www"}, "around"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_its_path(shared: Any, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        repo(Path("/srv/www/demo"), shared=shared)
    assert caught.value.path.startswith("repo_config:demo:shared")


def test_names_that_only_begin_alike_are_apart() -> None:
    found = repo(Path("/srv/www/demo"), shared={"dirs": ["var", "variable/"], "files": ["var.ini"]})
    assert found.paths.shared.paths == ("var", "var.ini", "variable")
    assert found.paths.shared.holds(b"var/x")
    assert not found.paths.shared.holds(b"vari")


def test_the_shape_tells_which_paths_are_shared_and_seals_take_it() -> None:
    one = repo(Path("/srv/www/demo"), shared={"dirs": ["a"]}, checkout_submodules=True)
    other = repo(Path("/srv/www/demo"), shared={"dirs": ["b"]}, checkout_submodules=True)
    assert one.shape != other.shape
    assert repo(Path("/srv/www/demo"), shared={}).shape == ""
    for each in (one, other):
        seal = seals.Seal("0" * 64, each.shape)
        assert seals.Seal.from_wire(seal.to_wire()) == seal
