"""Who may do what: the whole table, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.config.roles import Roles
from saltdeploy.lib.errors import NotAllowed
from saltdeploy.master.roles.asker import OF_MINION, OF_SALT, PERSON, Asker
from saltdeploy.master.roles.check import check
from saltdeploy.master.roles.verbs import VERBS

ROLES = Roles(
    {"operator": ("bob",), "admin": ("carol",)},
    {"site": {"deployer": ("alice", "%web", "minion:deploy1", "salt:reactor")}},
)
SITE = ("site",)


def person(name: str, *groups: str) -> Asker:
    return Asker(PERSON, name, "salt-api", frozenset(groups))


ALICE, BOB, CAROL, MALLORY = (person(name) for name in ("alice", "bob", "carol", "mallory"))


def may(who: Asker, function: str, repos: tuple[str, ...] = SITE, **arguments: Any) -> bool:
    try:
        check(function, repos, arguments, who, ROLES)
    except NotAllowed:
        return False
    return True


DEPLOYS = ("sync", "fetch", "checkout", "preseed", "stage", "promote")
BACK = ("rollback", "restart", "resume", "abort", "answer", "lock", "unlock", "services", "suspend")
ADMINS = ("gc", "init", "import_scap", "forget")


@pytest.mark.parametrize("function", DEPLOYS)
def test_a_deployer_of_the_repo_deploys_it_and_an_operator_does_not(function: str) -> None:
    assert [may(who, function) for who in (ALICE, BOB, CAROL, MALLORY)] == [True, False, True, False]
    assert not may(ALICE, function, ("other",))
    assert not may(ALICE, function, ("site", "other")), "of several, each needs the role"


@pytest.mark.parametrize("function", BACK)
def test_a_deployer_of_the_repo_and_an_operator_bring_it_back(function: str) -> None:
    assert [may(who, function) for who in (ALICE, BOB, CAROL, MALLORY)] == [True, True, True, False]
    assert [may(who, function, ("other",)) for who in (ALICE, BOB)] == [False, True]
    assert [may(who, function, ()) for who in (ALICE, BOB)] == [False, True], "everything is not one repo"


@pytest.mark.parametrize("function", ADMINS)
def test_an_admin_alone_clears_away_and_sets_up(function: str) -> None:
    assert [may(who, function) for who in (ALICE, BOB, CAROL, MALLORY)] == [False, False, True, False]


def test_everybody_whom_salt_lets_in_may_look() -> None:
    looks = [name for name, verb in VERBS.items() if not verb.needs]
    assert {"report", "show", "log", "plan", "story", "watch"} <= set(looks)
    assert all(may(MALLORY, function) for function in looks)
    assert may(MALLORY, "gc", (), test=True)


@pytest.mark.parametrize("function", [*DEPLOYS[:3], "rollback", "unlock"])
def test_past_guards_goes_an_operator(function: str) -> None:
    assert not may(ALICE, function, force=("freeze",))
    assert may(ALICE, function, force=False)
    both = Roles({"operator": ("alice",)}, ROLES.of_repos)
    assert check(function, SITE, {"force": True}, ALICE, both)


@pytest.mark.parametrize("argument", ["directory", "archive"])
def test_a_path_of_the_master_is_staged_by_an_admin_alone(argument: str) -> None:
    """It is read with the master's rights: /root would leave it in a release."""
    assert not may(ALICE, "stage", **{argument: "/root"})
    assert may(CAROL, "stage", **{argument: "/root"})


def test_who_watches_so_as_to_answer_needs_what_an_answer_needs() -> None:
    assert may(MALLORY, "watch", interactive=False) and not may(MALLORY, "watch", interactive=True)
    assert may(BOB, "watch", interactive=True)


def test_a_function_that_nobody_has_thought_of_is_an_admins() -> None:
    assert [may(who, "new") for who in (ALICE, CAROL)] == [False, True]


def test_root_may_do_everything_and_so_may_all_where_there_are_no_roles() -> None:
    root = Asker(PERSON, "root", "salt-run", is_root=True)
    assert may(root, "gc") and check("gc", (), {}, MALLORY, Roles()) == ""


def test_the_role_by_which_somebody_may_is_told() -> None:
    told = [check("abort", SITE, {}, who, ROLES) for who in (ALICE, BOB, CAROL)]
    assert told == ["deployer", "operator", "admin"]


@pytest.mark.parametrize(
    ("who", "is_one"),
    [
        (Asker(OF_MINION, "deploy1", "peer_run"), True),
        (Asker(OF_MINION, "web1", "peer_run"), False),
        (Asker(OF_SALT, "reactor", "reactor"), True),
        (Asker(OF_SALT, "master", "master"), False),
        (person("nobody", "web"), True),
        (person("nobody", "webmasters"), False),
        (person("minion:deploy1"), False),
        (person("salt:reactor"), False),
        (person("%web"), False),
        (person("Alice"), False),
        (Asker(OF_MINION, "alice", "peer_run"), False),
    ],
    ids=lambda value: value.shown if isinstance(value, Asker) else None,
)
def test_nobody_is_taken_for_another_kind(who: Asker, is_one: bool) -> None:
    assert may(who, "sync") is is_one


def test_a_refusal_names_the_role_and_who_has_it() -> None:
    with pytest.raises(NotAllowed) as refused:
        check("sync", SITE, {}, BOB, ROLES)
    assert str(refused.value) == (
        "repo site: bob, who came by salt-api, may not call deploy.sync: that needs the role deployer (alice, %web, "
        "minion:deploy1, salt:reactor). Next: ask one who has it; or an admin (carol, root) adds bob to "
        "repo_config:site:roles:deployer in the pillar (docs/roles.md)"
    )
    with pytest.raises(NotAllowed) as refused:
        check("lock", (), {}, ALICE, ROLES)
    assert (
        "may not call deploy.lock, of all repos: that needs the role deployer (no one) or operator (bob)."
        in str(refused.value)
    )
    assert "adds alice to deployment_config:roles:deployer" in refused.value.next
