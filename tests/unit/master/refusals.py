"""For each guard a situation in which it refuses the release ``v2``, or for a few ``v3``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder
from saltdeploy.master.records.history import History
from saltdeploy.protocol import events

from tests.support.repositories import FILE, GITLINK, Entry, Source, add_raw, tree
from tests.support.signing import generate, public_pem
from tests.unit.master.masters import NOON
from tests.unit.master.worlds import V0, V1, V2, World


def brings(world: World, text: str, tag: str = "v3") -> None:
    """The release has this checks.yaml."""
    files = {**V2, **tree(**{"scap/checks.yaml": text})}
    world.source = Source(
        world.source.git_dir.parent / "next", V0, V1, *([V2, files] if tag == "v3" else [files])
    )
    world.section["source"] = str(world.source.git_dir)


def frozen(world: World) -> None:
    world.section["freeze"] = [{"from": "2026-11-01", "until": "2026-12-01", "reason": "an election"}]


def locked(world: World) -> None:
    locks = Locks(world.master.root, world.master.store, world.fleet.now)
    locks.lock("repo:demo", "the database moves", Holder.here("bob"))


def bad(world: World) -> None:
    History(world.master.store).mark_bad("demo", world.source.release(2), "it burnt")


def missing(world: World) -> None:
    world.targets.remove("web3")


def removing(world: World) -> None:
    world.section["max_removed"] = "0%"
    world.pin(3)


def unsigned(world: World) -> None:
    world.section["require_signed"] = True


def needing(world: World) -> None:
    world.section["dependencies"] = ["library"]
    world.others["library"] = {"location": "/srv/library", "targets": "*"}


def without_a_signing_key(world: World) -> None:
    world.deployment["release_keys"] = [public_pem(generate(world.master.root.parent / "key.pem"))]


def with_a_strange_signing_key(world: World) -> None:
    without_a_signing_key(world)
    world.deployment["signing_key"] = str(generate(world.master.root.parent / "other.pem"))


def inplace_with_submodules(world: World) -> None:
    world.section |= {"layout": "inplace", "checkout_submodules": True}


def overlay_with_pointers(world: World) -> None:
    world.section |= {"layout": "overlay", "transport": "squashfs", "gitfat_enabled": True}


def checking_behind_a_rollback(world: World) -> None:
    world.section["checks"] = {"errors": {"after": "rollback", "where": "master", "command": "errors"}}


def rsync_from_nowhere(world: World) -> None:
    world.section["transport"] = "rsync"


def git_from_nowhere(world: World) -> None:
    world.section["groups"][0]["transport"] = "git"


def moved(world: World) -> None:
    then = world.source.release(1)
    told = {"tag": "v2", "commit": then.commit, "user": "bob", "hosts": 4, "action": "sync", "reason": ""}
    event = events.started(
        "20261122120000000000", "demo", NOON - 86_400, **told, groups=[], left_out=0, epoch=1, also=[]
    )
    History(world.master.store).started(event)


def tried_with_another_submodule(world: World) -> None:
    """The staging tree of v2 has another commit of its submodule checked out than v2 records."""
    place = world.source.git_dir.parent
    library = Source(place / "library", V0, V1)
    modules = b'[submodule "sub"]\npath = sub\nurl = ../library\n'
    link = Entry(GITLINK, library.tag(1).commit.encode())
    with_it = {**V2, b".gitmodules": Entry(FILE, modules), b"sub": link}
    world.source = Source(place / "with-submodules", V0, V1, with_it)
    staging = place / "staging"
    git("clone", "-q", "-b", "v2", "--recursive", "--", str(world.source.git_dir), str(staging))
    git("-C", str(staging / "sub"), "checkout", "-q", library.tag(0).commit)
    world.section |= {"source": str(staging), "checkout_submodules": True}


def git(*command: str) -> None:
    subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *command], check=True, stderr=subprocess.DEVNULL
    )


def with_a_name_twice(world: World) -> None:
    add_raw(world.source, 2, [("120000", b"a", b"/etc"), ("100644", b"a", b"x")])


def inplace_with_a_git_directory(world: World) -> None:
    world.section["layout"] = "inplace"
    add_raw(world.source, 2, [("40000", b"lib", [("40000", b".git", [("100644", b"config", b"x")])])])


def empty(world: World) -> None:
    world.source = Source(world.source.git_dir.parent / "empty", V0, V1, {})
    world.section["source"] = str(world.source.git_dir)


def bringing_a_check_twice(world: World) -> None:
    brings(world, "checks:\n  x: {stage: fetch, command: a}\n  x: {stage: fetch, command: b}", "v2")


#: Guard to situations in which it refuses, each with whether ``force`` goes past it.
SITUATIONS: dict[str, list[tuple[Callable[[World], None], bool]]] = {
    "freeze": [(frozen, True)],
    "lock": [(locked, True)],
    "dependencies": [(needing, False)],
    "signing_key": [(without_a_signing_key, False), (with_a_strange_signing_key, False)],
    "layout": [(inplace_with_submodules, False), (overlay_with_pointers, False)],
    "master_checks": [(checking_behind_a_rollback, False)],
    "targets": [(missing, True)],
    "transport": [(rsync_from_nowhere, True), (git_from_nowhere, True)],
    "moved_tag": [(moved, False)],
    "bad_release": [(bad, True)],
    "require_signed": [(unsigned, False)],
    "trees": [
        (with_a_name_twice, False),
        (inplace_with_a_git_directory, False),
    ],
    "submodules": [(tried_with_another_submodule, True)],
    "empty_release": [(empty, True)],
    "max_removed": [(removing, True)],
    "checks_file": [(bringing_a_check_twice, False)],
}
