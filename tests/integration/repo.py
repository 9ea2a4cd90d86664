"""A repo of the fleet: its releases, and which of them lies on which disk, byte by byte."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.integration.fleet import Fleet, Run, wait_for
from tests.integration.pillar import Pillar
from tests.support.repositories import EXECUTABLE, FILE, Entry, Source, Tree, git, link, put, snapshot, tree

TAGS = ("v0", "v1", "v2", "v3", "v4")


def releases() -> list[Tree]:
    """Five releases: files change, come and go, a link turns, a script becomes executable, a file a directory.

    What is new in each is of another size: 100 KB, little, 20 KB, 5 KB and 3 MB.
    """
    chance = random.Random(1)
    first = tree(index="one\n" * 50, lib__a="a\n", lib__b="b\n", empty="", VERSION="0\n")
    first |= {b"current": link("lib/a"), b"bin/run": Entry(FILE, b"#!/bin/true\n")}
    first[b"big/100"] = Entry(FILE, chance.randbytes(100_000))
    second = put({**first, b"current": link("lib/b")}, b"bin/run", Entry(EXECUTABLE, b"#!/bin/true\n"))
    third = put({**second, **tree(index="three\n" * 50)}, b"VERSION/number", Entry(FILE, b"2\n"))
    third[b"big/20"] = Entry(FILE, chance.randbytes(20_000))
    del third[b"lib/a"]
    fourth = {**third, b"big/5": Entry(FILE, chance.randbytes(5_000))}
    fifth = {**fourth, b"big/3000": Entry(FILE, chance.randbytes(3_000_000))}
    return [first, second, third, fourth, fifth]


def converged(run: Run) -> Run:
    """The run, which must have brought every host to where it should be."""
    assert (run.status, run.data.get("outcome"), run.data.get("ok")) == (
        0,
        "CONVERGED",
        run.data.get("total"),
    ), run
    return run


class Releases:
    """One repository with all releases, which each test's repo is a copy of; and what they are on a disk.

    Args:
        trees: one for each tag, where it is not :func:`releases`.
    """

    def __init__(self, directory: Path, trees: Iterable[Tree] = ()) -> None:
        self._source = Source(directory, *(trees or releases()))
        self._shown = {tag: self._source.checked_out(number) for number, tag in enumerate(TAGS)}

    def copy(self, directory: Path) -> Path:
        return Path(shutil.copytree(self._source.git_dir, directory))

    def commit(self, tag: str) -> str:
        return self._source.tag(TAGS.index(tag)).commit

    def shown_at(self, place: Path) -> str:
        """The release whose every byte, mode and link is below ``place``; "" if nothing is there at all."""
        if not place.is_dir():
            return ""
        found = snapshot(place.resolve())
        found = {path: entry for path, entry in found.items() if path.split(b"/")[0] != b".git"}
        return next((tag for tag, tree in self._shown.items() if found == tree), "no release")


class Repo:
    """A repo, its git repository, and where it lies on its hosts."""

    def __init__(self, name: str, fleet: Fleet, pillar: Pillar, releases: Releases) -> None:
        self.name = name
        self.fleet = fleet
        self.releases = releases
        self._pillar = pillar
        self.git_dir = releases.copy(pillar.source(name))

    def make_source_anew(self, number: int) -> None:
        """Let its place hold a repository whose tags have the same names and mean other commits."""
        Source(self.git_dir, *releases()[number : number + 1] * 5)

    def configure(self, **keys: Any) -> None:
        """Change what the master's pillar says; minions keep what they know."""
        self._pillar.change(self.name, keys)

    @property
    def hosts(self) -> list[str]:
        """The hosts that take it."""
        return self._pillar.targets(self.name, list(self.fleet.hosts))

    def target(self, *hosts: str) -> None:
        """Let these hosts alone take the repo."""
        self.configure(targets=",".join(hosts), targets_type="list")

    def run(self, function: str, **named: Any) -> Run:
        """What ``salt-run deploy.<function> repo=...`` answers."""
        return self.fleet.run_here(f"deploy.{function}", repo=self.name, **named)

    def sync(self, tag: str, **named: Any) -> Run:
        return self.run("sync", tag=tag, **named)

    def shown(self, function: str) -> str:
        """What a person sees of ``salt-run deploy.<function> repo=...``."""
        return self.fleet.shown(f"deploy.{function}", repo=self.name)

    def has(self, tag: str) -> None:
        """Bring all its hosts to the release that everything else begins with."""
        converged(self.sync(tag))
        assert self.on_disk() == self.everywhere(tag)

    def call(self, host: str, function: str, *arguments: Any, **named: Any) -> Run:
        """``salt <host> deploy.<function> <repo>``."""
        return self.fleet.salt(host, f"deploy.{function}", self.name, *arguments, **named)

    def place(self, host: str) -> Path:
        """The live path on a host."""
        return self._pillar.location(self.name, host)

    def on_disk(self) -> dict[str, str]:
        """Host to the release whose every byte, mode and link is what the live path shows; "" for none."""
        return {host: self.releases.shown_at(self.place(host)) for host in self.hosts}

    def everywhere(self, tag: str) -> dict[str, str]:
        return dict.fromkeys(self.hosts, tag)

    def least_bytes(self, tag: str, base: str = "") -> int:
        """Bytes of what git itself packs from one release to another; of a whole one without its history."""
        revisions = [tag, f"^{base}"] if base else [f"{tag}^{{tree}}"]
        packed = ["pack-objects", "--revs", "--thin", "--quiet", "--stdout"]
        return len(git(self.git_dir, *packed, input="\n".join([*revisions, ""]).encode()))

    @contextlib.contextmanager
    def held(self, *hosts: str) -> Iterator[None]:
        """Until the end, stages of these hosts wait where the pillar calls ``gate.wait`` with ``DISK/gate``."""
        for host in hosts:
            # a job that went on may have said once more that it waits, after that was taken back
            self._gate(host, "reached").unlink(missing_ok=True)
            self._gate(host, "shut").touch()
        try:
            yield
        finally:
            self.open(*hosts)
            time.sleep(
                0.3
            )  # who waits looks fifty times a second, and the next test may shut the gate at once
            for host in hosts:
                self._gate(host, "reached").unlink(missing_ok=True)

    def open(self, *hosts: str) -> None:
        for host in hosts:
            self._gate(host, "shut").unlink(missing_ok=True)

    @contextlib.contextmanager
    def refusing(self, host: str) -> Iterator[None]:
        """``gate.wait`` fails on this host, once its gate is open."""
        self._gate(host, "refuse").touch()
        try:
            yield
        finally:
            self._gate(host, "refuse").unlink()

    def _gate(self, host: str, what: str) -> Path:
        return self.fleet.hosts[host].disk / f"gate.{what}"

    def wait_until_held(self, *hosts: str) -> None:
        for host in hosts:
            wait_for(self._gate(host, "reached").exists)
