"""Refused before any host is asked: what was asked for is not there, not clear, or not allowed now."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import salt.version

from tests.functional.typed.console import Console
from tests.functional.typed.follower import Printed
from tests.unit.protocol.whole_deploys import REPO

Story = Iterator[Printed]


def git(at: Console, *words: str) -> str:
    command = ["git", "-C", str(at.source.git_dir), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def no_such_tag(at: Console) -> Story:
    """Another tag is near."""
    at.has("v1")
    made = {
        "push the tag": lambda: git(at, "tag", "v11", "v1"),
        "did you mean v1?": lambda: None,
        "deploy what has no tag": lambda: at.run("sync", repo=REPO, branch="main"),
    }
    yield Printed(lambda: at.deploy("v11"), made, other=lambda named: at.deploy(**named))
    assert at.live() in (at.everywhere("v1"), at.everywhere("v3"))


def no_such_branch(at: Console) -> Story:
    pushed = {"git push it": lambda: git(at, "branch", "mian", "v1")}
    yield Printed(lambda: at.run("sync", repo=REPO, branch="mian"), by_hand=pushed)


def no_such_commit(at: Console) -> Story:
    commit = git(at, "commit-tree", "-m", "apart", "v1^{tree}")
    named = {
        "branch NAME": lambda: git(at, "branch", "found", commit),
        "push a branch": lambda: git(at, "branch", "found", commit),
    }
    yield Printed(lambda: at.run("sync", repo=REPO, commit=commit), by_hand=named)
    assert at.live() == at.everywhere("v1")


def moved_tag(at: Console) -> Story:
    at.has("v0", "v1")
    git(at, "tag", "-f", "v0", "v2")
    made = {"make a new tag": lambda: git(at, "tag", "v9", "v2"), "deploy that": lambda: at.deploy("v9")}
    yield Printed(lambda: at.deploy("v0"), by_hand={**made, "never move": lambda: None}, mend=None)


def bad_release(at: Console) -> Story:
    at.has("v0", "v1")
    assert at.run("rollback", repo=REPO)["retcode"] == 0
    mended = {"deploy a tag that mends it": lambda: at.has("v2")}
    yield Printed(lambda: at.deploy("v1"), by_hand=mended)
    assert at.live() in (at.everywhere("v1"), at.everywhere("v2"))


def frozen(at: Console) -> Story:
    window = {"from": "2026-01-01", "until": "2036-01-01", "reason": "an election"}
    at.configure(freeze=[window])
    ended = {"wait for its end": lambda: (at.configure(freeze=None), at.has("v1"))}
    yield Printed(lambda: at.deploy("v1"), by_hand=ended)
    assert at.live() == at.everywhere("v1")


def locked_by_hand(at: Console) -> Story:
    assert at.run("lock", repo=REPO, reason="a migration")["retcode"] == 0
    yield Printed(lambda: at.deploy("v1"))
    at.has("v1")


def plan_moved(at: Console) -> Story:
    at.has("v0")
    planned = at.run("plan", repo=REPO, tag="v1")["hash"]
    at.has("v2")
    yield Printed(lambda: at.deploy("v1", plan=planned))
    at.deploy("v1", plan=at.run("plan", repo=REPO, tag="v1")["hash"])
    assert at.live() == at.everywhere("v1")


def much_removed(at: Console) -> Story:
    at.has("v0", "v2")
    at.configure(max_removed="0%")
    # who has looked at what is gone means it so
    yield Printed(lambda: at.deploy("v3"))
    at.deploy("v3", force="max_removed")
    assert at.live() == at.everywhere("v3")


def nothing_in_it(at: Console) -> Story:
    tree = subprocess.run(
        ["git", "-C", str(at.source.git_dir), "hash-object", "-t", "tree", "-w", "/dev/null"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    git(at, "tag", "bare", git(at, "commit-tree", "-m", "nothing", tree))
    yield Printed(lambda: at.deploy("bare"))


def unsigned(at: Console) -> Story:
    at.configure(require_signed=True)
    meant = {
        "git tag --sign": lambda: (git(at, "tag", "v1-signed", "v1"), at.configure(require_signed=None)),
        "push it": lambda: None,
        "git verify-tag": lambda: None,
    }
    yield Printed(lambda: at.deploy("v1"), meant, other=lambda named: at.deploy(**named))
    assert at.live() == at.everywhere("v1")


def needs_another(at: Console) -> Story:
    at.configure(dependencies=["demo/library"])
    library = {"source": at.fleet._keys["source"], "location": "/srv/library", "targets": "web*"}
    at.fleet.pillar["repo_config"]["demo/library"] = library
    shipped = {"tag=...": lambda: at.configure(dependencies=None)}
    yield Printed(lambda: at.deploy("v1"), by_hand=shipped)


def unknown_repo(at: Console) -> Story:
    def added() -> None:
        at.fleet.pillar["repo_config"]["demo/sit"] = at.fleet.pillar["repo_config"][REPO] | {"location": "/a"}

    hand = {
        "did you mean": lambda: None,
        "add repo_config": added,
        "pillar.show_pillar": lambda: at.has("v1"),
    }
    yield Printed(
        lambda: at.run("sync", repo="demo/sit", tag="v1"),
        hand,
        other=lambda named: at.run("sync", **named, tag="v1"),
    )
    at.has("v1")


def bad_name(at: Console) -> Story:
    other = {"git help": lambda: at.has("v1"), "no part begins": lambda: None}
    yield Printed(lambda: at.deploy("v1..2"), by_hand=other)


def wrong_arguments(at: Console) -> Story:
    yield Printed(lambda: at.run("sync", repo=REPO, tag="v1", forse=True))
    assert at.live() == at.everywhere("v1")


def no_arguments(at: Console) -> Story:
    yield Printed(lambda: at.run("report", report=REPO))


def no_such_deploy(at: Console) -> Story:
    at.has("v0")
    yield Printed(lambda: at.run("show", repo=REPO, id="20200101000000000000"))


def nothing_runs(at: Console) -> Story:
    at.has("v0")
    yield Printed(lambda: at.run("abort", repo=REPO))


def nothing_asked(at: Console) -> Story:
    at.has("v0")
    yield Printed(lambda: at.run("answer", "yes", repo=REPO))


def nothing_to_roll_back_to(at: Console) -> Story:
    at.has("v0")
    yield Printed(lambda: at.run("rollback", repo=REPO))


def nothing_to_restart(at: Console) -> Story:
    at.has("v0")
    named = {"name its services": lambda: at.configure(restart_command=["true"])}
    yield Printed(lambda: at.run("restart", repo=REPO), by_hand=named, mend=lambda: None)


def no_targets(at: Console) -> Story:
    at.matched.clear()

    def given() -> None:
        at.matched.extend(at.fleet.minions)

    at.instead["grains.append"] = at.instead["saltutil.refresh_grains"] = lambda host: given()
    yield Printed(lambda: at.deploy("v1"), by_hand={"set repo_config": given}, mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def nobody_matches_the_limit(at: Console) -> Story:
    yield Printed(lambda: at.deploy("v1", limit="nobody"))


def salt_too_old(at: Console) -> Story:
    at.patch.setattr(salt.version, "__version_info__", (3005, 1))
    yield Printed(lambda: at.run("locks"), by_hand={"upgrade Salt": at.patch.undo})


def not_allowed(at: Console) -> Story:
    roles = {"repos": {REPO: {"deployer": ["alice"]}}, "admin": ["carol"]}

    def added() -> None:
        roles["repos"][REPO]["deployer"].append("mallory")  # type: ignore[call-overload,index]

    def asks() -> object:
        with at.as_user("mallory", deploy_roles=roles):
            return at.deploy("v1")

    meant = {"ask one who has it": added, "adds": added}
    yield Printed(asks, by_hand=meant, mend=lambda: None)  # type: ignore[arg-type]


#: Kind of error to its situations.
SITUATIONS = {
    "no-such-tag": [no_such_tag],
    "no-such-revision": [no_such_branch, no_such_commit],
    "moved-tag": [moved_tag],
    "bad-release": [bad_release],
    "frozen": [frozen],
    "locked": [locked_by_hand],
    "plan-moved": [plan_moved],
    "too-much-removed": [much_removed, nothing_in_it],
    "unsigned": [unsigned],
    "dependency-failed": [needs_another],
    "unknown-repo": [unknown_repo],
    "bad-name": [bad_name],
    "bad-arguments": [wrong_arguments, no_arguments],
    "no-such-deploy": [no_such_deploy, nothing_runs],
    "nothing-asked": [nothing_asked],
    "nothing-to-roll-back-to": [nothing_to_roll_back_to],
    "nothing-to-restart": [nothing_to_restart],
    "no-targets": [no_targets, nobody_matches_the_limit],
    "salt-too-old": [salt_too_old],
    "not-allowed": [not_allowed],
}
