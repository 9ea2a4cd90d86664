"""A host that many releases come to, and what must hold of it whatever was killed when."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from saltdeploy.minion import stages

from tests.support.repositories import EXECUTABLE, FILE, GITLINK, Entry, Source, Tree, link, snapshot
from tests.support.targets import Target

_AREA = {
    "slots": {"store.git", "slots", "incoming", "REVISION", "DEPLOY_HEAD"},
    "releases": {"store.git", "releases", "records", "incoming", "REVISION", "DEPLOY_HEAD"},
}
_chance = random.SystemRandom()

RELEASES = 24  # more than the store keeps: most have to arrive again each time round


def releases(chance: random.Random) -> list[Tree]:
    """Trees of some forty files, which change in every awkward way from each to the next."""
    return [_release(number, chance.randbytes) for number in range(RELEASES)]


def _release(number: int, randbytes: Any) -> Tree:
    odd = number % 2
    files: Tree = {b"version": Entry(FILE, b"%d" % number), b"lib/version": Entry(FILE, b"%d" % number)}
    files |= {b"same/%d" % n: Entry(FILE, b"same %d" % n) for n in range(12)}
    files |= {b"d%d/e/f%d" % (n % 5, n): Entry(FILE, randbytes(3000)) for n in range(number, number + 15)}
    files[b"big"] = Entry(FILE, randbytes(400_000))
    files[b"run"] = Entry(EXECUTABLE if odd else FILE, b"#!/bin/sh\n")
    files |= (
        {b"swap": Entry(FILE, b"x")}
        if odd
        else {b"swap/deep/x": Entry(FILE, b"x"), b"swap/y": link("../run")}
    )
    files[b"current"] = link("lib") if odd else Entry(FILE, b"lib")
    files |= {b"sub": Entry(GITLINK, b"1" * 40)} if number % 3 else {b"sub/now/ours": Entry(FILE, b"")}
    return files


class Host(Target):
    """A target that is asked for one release after the other; every payload that may be needed is packed."""

    def __init__(self, place: Path, source: Source, **keys: Any) -> None:
        super().__init__(place, source, **keys)
        self._before: dict[bytes, tuple[object, ...]] | None = None
        self._offers: dict[int, tuple[Any, ...]] = {}

    def offers(self, number: int) -> list[int | None]:
        """The bases of the payloads that the master offers."""
        return [
            None,
            *(base for base in ((number - 1) % RELEASES, (number - 2) % RELEASES) if base != number),
        ]

    def pack_all(self) -> None:
        for number in range(RELEASES):
            for base in self.offers(number):
                self.payload(number, base)

    def take(self, number: int) -> None:
        """Fetch and checkout, as a deploy of its own, which must work."""
        for result in self.deploy(number, bases=self.offers(number), deploy=self._fresh()):
            assert result.ok, result.error

    def _fresh(self) -> int:
        return _chance.getrandbits(60)  # forked processes would draw the same numbers from any other source

    def shows(self) -> set[int | str]:
        """Which releases ``location`` shows, byte for byte; what was there before the first; or nothing."""
        if not os.path.lexists(self.location):
            return {"nothing"}
        seen = snapshot(self.location)
        found: set[int | str] = {n for n in range(RELEASES) if self.source.checked_out(n) == seen}
        if self._before is not None and seen == self._before:
            found.add("what was before")
        return found

    def remember_what_is_there(self) -> None:
        self._before = snapshot(self.location)

    def leftovers(self) -> set[str]:
        """Files that nobody needs: below the area, beside it, in the store and in the minion's cache."""
        area = self.repo.paths.area
        store = area / "store.git"
        expected = {self.location.name, area.name}
        found = {
            f"beside: {path.name}" for path in self.location.parent.iterdir() if path.name not in expected
        }
        found -= {name for name in found if name.startswith(f"beside: {self.location.name}.2")}  # moved aside
        found |= {f"incoming: {path.name}" for path in (area / "incoming").iterdir()}
        found |= {f"area: {path.name}" for path in area.iterdir()} - {
            f"area: {name}" for name in _AREA[self.repo.layout.name]
        }
        found |= (
            self._left_of_slots(area) if self.repo.layout.name == "slots" else self._left_of_releases(area)
        )
        known = {
            "HEAD",
            "config",
            "description",
            "hooks",
            "info",
            "objects",
            "refs",
            "shallow",
            "FETCH_HEAD",
            "branches",
        }
        found |= {f"store: {path.name}" for path in store.iterdir() if path.name not in known}
        found |= {f"refs: {path}" for path in store.glob("refs/deploy-asked/*")}
        found |= {f"locks: {path}" for path in store.rglob("*.lock")}
        packs = list((store / "objects/pack").iterdir())
        whole = {path.stem for path in packs if path.suffix == ".idx"} & {
            p.stem for p in packs if p.suffix == ".pack"
        }
        found |= {f"packs: {path.name}" for path in packs if path.stem not in whole or path.suffix == ".keep"}
        cache = self.cache / "demo"
        kept = {"cache: lock", "cache: record.json", "cache: configuration.json"}
        found |= {f"cache: {path.name}" for path in cache.iterdir()} - kept
        incoming = cache / "incoming"
        if incoming.is_dir() and not list(incoming.iterdir()):
            found -= {"cache: incoming"}
        return found

    def _left_of_slots(self, area: Path) -> set[str]:
        slots = {f"{n}{end}" for n in range(self.repo.layout.slots) for end in ("", ".json", ".db")}
        return {f"slots: {path.name}" for path in (area / "slots").iterdir() if path.name not in slots}

    def _left_of_releases(self, area: Path) -> set[str]:
        trees = {path.name for path in (area / "releases").iterdir()}
        records = {path.name for path in (area / "records").iterdir()}
        expected = {f"{name}{end}" for name in trees for end in (".json", ".db")}
        held = len(stages.status(self.repo, self.host).holdings.held)
        surplus = (
            {"more releases than are held"}
            if len(trees) > min(held, self.repo.layout.keep_releases)
            else set()
        )
        return surplus | {f"records: {name}" for name in records ^ expected}
