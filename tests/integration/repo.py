"""A repo of the fleet: its releases, and which of them lies on which disk, byte by byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.integration.fleet import Fleet, Run
from tests.repositories import EXECUTABLE, Entry, Source, Tree, link, put, snapshot, tree

TAGS = ("v0", "v1", "v2", "v3")


def releases() -> list[Tree]:
    """Four releases: files change, come and go, a link turns, a script becomes executable, a file a directory."""
    first = tree(index="one\n" * 50, lib__a="a\n", lib__b="b\n", empty="", VERSION="0\n")
    first |= {b"current": link("lib/a"), b"bin/run": Entry("100644", b"#!/bin/true\n")}
    second = put({**first, b"current": link("lib/b")}, b"bin/run", Entry(EXECUTABLE, b"#!/bin/true\n"))
    third = put({**second, **tree(index="three\n" * 50)}, b"VERSION/number", Entry("100644", b"2\n"))
    third.pop(b"lib/a")
    fourth = {**third, b"blob": Entry("100644", os.urandom(40_000))}
    return [first, second, third, fourth]


class Repo:
    """A repo and its source repository."""

    def __init__(self, name: str, fleet: Fleet, directory: Path, pillar: Any) -> None:
        self.name = name
        self.fleet = fleet
        self._pillar = pillar
        directory.parent.mkdir(exist_ok=True)
        self.source = Source(directory, *releases())

    def configure(self, **keys: Any) -> None:
        """Change what the master's pillar says; minions keep what they know."""
        self._pillar.repos[self.name] |= keys
        self._pillar.write()

    def run(self, function: str, **named: Any) -> Run:
        """``salt-run deploy.<function> repo=...``."""
        return self.fleet.salt_run(f"deploy.{function}", repo=self.name, **named)

    def sync(self, tag: str, **named: Any) -> Run:
        return self.run("sync", tag=tag, **named)

    def call(self, host: str, function: str, *arguments: str, **named: Any) -> Run:
        """``salt <host> deploy.<function> <repo>``."""
        return self.fleet.salt(host, f"deploy.{function}", self.name, *arguments, **named)

    def place(self, host: str) -> Path:
        """The live path on a host."""
        return self.fleet.hosts[host].disk / "srv" / self.name

    def on_disk(self) -> dict[str, str]:
        """Host to the release whose every byte, mode and link is what the live path shows; "" for none."""
        return {host: self.shown_at(self.place(host)) for host in self.fleet.hosts}

    def shown_at(self, place: Path) -> str:
        if not place.is_dir():
            return ""
        found = snapshot(place.resolve())
        found = {path: entry for path, entry in found.items() if path.split(b"/")[0] != b".git"}
        return next((tag for n, tag in enumerate(TAGS) if found == self.source.checked_out(n)), "neither")

    def everywhere(self, tag: str) -> dict[str, str]:
        return dict.fromkeys(self.fleet.hosts, tag)
