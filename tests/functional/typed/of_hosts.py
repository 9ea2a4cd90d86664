"""A host, or what runs on it, is not as a deploy needs it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.functional.typed.console import Console
from tests.functional.typed.follower import Printed
from tests.unit.protocol.whole_deploys import REPO

Story = Iterator[Printed]


def unreachable(at: Console) -> Story:
    """What is printed shows that it is away, and somebody gets it back."""
    at.has("v0")
    at.away.add("web2")
    at.instead["test.ping"] = lambda host: True
    yield Printed(lambda: at.deploy("v1"), mend=at.away.clear)
    assert at.live() == at.everywhere("v1")


def forged(at: Console) -> Story:
    """Hosts have the secrets of another master until their pillar is a new one."""
    renewed = at.minions_sign_otherwise()
    at.instead["saltutil.refresh_pillar"] = lambda host: renewed()
    hostile = {"look for a hostile minion": lambda: None}
    says = "without the host's signature"
    yield Printed(lambda: at.deploy("v1"), hostile, mend=lambda: None, says=says)
    assert at.live() == at.everywhere("v1")


def overtaken(at: Console) -> Story:
    """Another master has deployed to the hosts."""
    at.has("v0")
    for minion in at.fleet.minions.values():
        (record,) = minion.cache.rglob("record.json")
        known = json.loads(record.read_text())
        record.write_text(json.dumps({**known, "epoch": 4_102_444_799_000_000, "deploy": "2" * 20}))
    yield Printed(lambda: at.deploy("v1"))
    at.deploy("v1", force="epoch")
    assert at.live() == at.everywhere("v1")


def never_fetched(at: Console) -> Story:
    at.has("v0")
    yield Printed(lambda: at.run("checkout", repo=REPO, tag="v1"))
    assert at.run("checkout", repo=REPO, tag="v1")["retcode"] == 0
    assert at.live() == at.everywhere("v1")


def damaged_on_its_way(at: Console) -> Story:
    for minion in at.fleet.minions.values():
        _spoil_once(minion.host.carrier)
    repeats = {"if it repeats": lambda: None}
    yield Printed(lambda: at.deploy("v1"), repeats, mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def _spoil_once(carrier: Any) -> None:
    def spoil(path: Path) -> None:
        carrier.spoil = lambda path: None
        path.write_bytes(b"x" * path.stat().st_size)

    carrier.spoil = spoil


def damaged_where_it_is_live(at: Console) -> Story:
    at.has("v0")
    (at.fleet.minions["web1"].location / "a").write_text("somebody's")
    view = at.on("web1", "deploy.verify", REPO, full=True)
    yield Printed(lambda: view["answer"], shown=lambda answer: str(answer["error"]["next"]))
    assert at.live() == at.everywhere("v0")


def every_slot_in_use(at: Console) -> Story:
    at.has("v0", "v1", "v2")
    busy = []
    for minion in at.fleet.minions.values():
        live = minion.location.resolve()
        spare = [place for place in live.parent.iterdir() if place != live and place.is_dir()]
        busy += [subprocess.Popen(["sleep", "600"], cwd=place) for place in spare]

    def end() -> None:
        for process in busy:
            process.kill()
            process.wait()

    more = {"restart that process": end, "raise `slots`": lambda: at.configure(slots=4)}
    try:
        yield Printed(lambda: at.deploy("v3", force="max_removed"), more)
        assert at.live() == at.everywhere("v3")
    finally:
        end()


def no_git(at: Console) -> Story:
    at.patch.setenv("PATH", "/nonexistent")
    yield Printed(lambda: at.deploy("v1"), {"install git": at.patch.undo})


def git_dies(at: Console) -> Story:
    """Of a signal, when the master packs; nobody knows more than that."""
    directory = at.place / "programs"
    directory.mkdir()
    real = shutil.which("git")
    (directory / "git").write_text(
        f'#!/bin/sh\ncase "$*" in *pack-objects*|*bundle*) kill -SEGV $$;; esac\nexec {real} "$@"\n'
    )
    (directory / "git").chmod(0o755)
    at.patch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    yield Printed(lambda: at.deploy("v1"), mend=at.patch.undo)
    assert at.live() == at.everywhere("v1")


def no_program(at: Console) -> Story:
    """Of a transport that needs one."""
    at.configure(transport="squashfs")
    directory = at.place / "programs"
    directory.mkdir()
    for each in ("git", "sh", "env", "zstd", "sleep"):
        (directory / each).symlink_to(shutil.which(each) or "/nonexistent")
    at.patch.setenv("PATH", str(directory))
    hand = {
        "install squashfs-tools": at.patch.undo,
        "choose another": lambda: at.configure(transport=None),
    }
    yield Printed(lambda: at.deploy("v1"), hand, mend=lambda: None)


def layout_that_cannot(at: Console) -> Story:
    at.configure(layout="inplace", shared={"dirs": ["uploads"]})
    hand = {
        "leave `shared": lambda: at.configure(shared=None),
        "choose layout": lambda: at.configure(layout="slots"),
    }
    yield Printed(lambda: at.deploy("v1"), hand, mend=lambda: None)


def check_that_fails(at: Console) -> Story:
    at.has("v0")
    there = at.place / "well"
    at.configure(checks={"well": {"type": "command", "after": "checkout", "command": f"test -e {there}"}})
    yield Printed(lambda: at.deploy("v1"), mend=there.touch)
    assert at.live() == at.everywhere("v1")


def check_that_cannot_tell(at: Console) -> Story:
    at.has("v0")
    there = at.place / "well"
    script = at.place / "check_well"
    script.write_text(f"#!/bin/sh\ntest -e {there} || exit 3\n")
    script.chmod(0o755)
    (at.place / "well.cfg").write_text(f"command[check_well]={script}\n")
    at.configure(
        checks={
            "well": {"type": "nrpe", "nrpe_dir": str(at.place), "after": "checkout", "command": "check_well"}
        }
    )
    yield Printed(lambda: at.deploy("v1"), mend=there.touch)


def restart_that_fails(at: Console) -> Story:
    at.has("v0")
    there = at.place / "well"
    at.configure(restart_command=["test", "-e", str(there)])
    yield Printed(lambda: at.deploy("v1"), mend=there.touch)


def nobody_listens(at: Console) -> Story:
    at.has("v0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    at.configure(restart_command=["true"], service_port=port, service_timeout=1)

    def listen() -> None:
        listening.bind(("127.0.0.1", port))
        listening.listen(50)

    yield Printed(lambda: at.deploy("v1"), {"the service's log": lambda: None}, mend=listen)
    listening.close()


def hook_that_fails(at: Console) -> Story:
    at.has("v0")
    there = at.place / "well"
    at.configure(depool={"type": "command", "command": ["test", "-e", str(there)]})
    yield Printed(lambda: at.deploy("v1"), mend=there.touch)


def step_that_fails(at: Console) -> Story:
    there = at.place / "well"
    command = ["test", "-e", str(there)]
    at.configure(once=[{"name": "migrate", "before": "checkout", "command": command}])
    yield Printed(lambda: at.deploy("v1"), mend=there.touch, says="step migrate")
    assert at.live() == at.everywhere("v1")


def step_that_cannot_be_undone(at: Console) -> Story:
    at.has("v0")
    step = {"name": "migrate", "before": "checkout", "command": ["true"], "rollback": "refuse"}
    at.configure(once=[step])
    at.has("v1")
    mended = {"deploy a release that mends it": lambda: at.has("v2")}
    yield Printed(lambda: at.run("rollback", repo=REPO), mended)
    assert at.live() in (at.everywhere("v2"), at.everywhere("v0"))


def config_file_that_is_missing(at: Console) -> Story:
    at.configure(config_files=[{"path": "config.ini", "template": "config.ini.j2"}])
    mended = {"mend its template": lambda: None, "repo_config:": lambda: at.configure(config_files=None)}
    yield Printed(lambda: at.deploy("v1"), mended, mend=lambda: at.configure(config_files=None))


def strange_files(at: Console) -> Story:
    at.has("v0")
    at.configure(untracked="refuse")
    strange = [minion.location / "upload" for minion in at.fleet.minions.values()]
    for each in strange:
        each.write_text("a user's")

    def moved_away() -> None:
        for each in strange:
            os.replace(each, each.parents[1] / f"kept-{each.name}")

    hand = {"name what is to stay": moved_away}
    warned = {"say `untracked: warn`": lambda: at.configure(untracked="warn")}
    yield Printed(lambda: at.deploy("v1"), {**hand, **warned}, mend=lambda: None)
    assert at.live() == at.everywhere("v1")


#: Kind of error to its situations.
SITUATIONS = {
    "unreachable": [unreachable],
    "forged": [forged],
    "fenced": [overtaken],
    "not-ready": [never_fetched],
    "corrupt": [damaged_on_its_way, damaged_where_it_is_live],
    "slots-busy": [every_slot_in_use],
    "git-unusable": [no_git],
    "git-failed": [git_dies],
    "unsupported": [no_program, layout_that_cannot],
    "check-failed": [check_that_fails],
    "check-inconclusive": [check_that_cannot_tell],
    "restart-failed": [restart_that_fails],
    "not-listening": [nobody_listens],
    "hook-failed": [hook_that_fails],
    "step-failed": [step_that_fails],
    "cannot-undo": [step_that_cannot_be_undone],
    "bad-config-file": [config_file_that_is_missing],
    "untracked": [strange_files],
}
