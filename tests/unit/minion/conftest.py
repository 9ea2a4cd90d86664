"""A repository with a few releases, and a host that takes them; the same with a daemon that serves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repositories import EXECUTABLE, Entry, Source, link, tree
from tests.support.serving import ServingHost
from tests.support.targets import Target

SICK, BROKEN, DEAF, STUBBORN = 3, 4, 5, 6
"""Numbers of releases that are not well."""


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    releases = [tree(a=str(n), lib__same="same", **{f"only{n}": "x" * 5000}) for n in range(6)]
    return Source(tmp_path_factory.mktemp("source") / "source", *releases)


@pytest.fixture
def host(tmp_path: Path, source: Source) -> Target:
    return Target(tmp_path, source)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """v0 to v2 are well; v3 answers 500, v4 does not start, v5 does not listen, v6 hangs while it starts."""
    extra = {
        b"scap/scripts/says": Entry(EXECUTABLE, b'#!/bin/sh\necho "script $1"\nexit "$2"\n'),
        b"scap/scripts/outside": link("/bin/true"),
    }
    names = ("v0", "v1", "v2", "sick", "broken", "deaf", "stubborn")
    trees = [{**tree(VERSION=name), **extra} for name in names]
    return Source(tmp_path_factory.mktemp("source") / "demo.git", *trees)


@pytest.fixture
def server(tmp_path: Path, releases: Source) -> Iterator[ServingHost]:
    """A host on which nothing is live yet and no daemon runs."""
    serving = ServingHost(tmp_path, releases)
    yield serving
    serving.service.stop("demo")
