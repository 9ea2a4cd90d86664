"""Roles at the runner's door: who asks is what Salt or the kernel vouch for, whatever else is said."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
from saltbridge import asking
from saltdeploy.config.roles import Roles
from saltdeploy.master.roles.asker import OF_MINION, Asker
from saltdeploy.master.roles.handed import handing
from saltdeploy.master.roles.remembered import RememberedRoles
from saltdeploy.master.roles.verbs import VERBS

from tests.functional.loaders import REPO
from tests.functional.test_doors import RUNNERS, configuration
from tests.support.nobody import as_nobody

ROLES = {"operator": ["bob"], "admin": ["carol"], "repos": {REPO: {"deployer": ["alice", "minion:deploy1"]}}}
#: ``promote`` asks when it has found what to promote, which takes two environments.
CHANGES = sorted(name for name, verb in VERBS.items() if verb.needs and name != "promote")
#: What each needs to be called at all.
MORE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("sync", "fetch", "checkout", "preseed"), {"repo": REPO, "tag": "v1"}),
    **dict.fromkeys(("rollback", "restart", "stage", "lock", "unlock", "gc"), {"repo": REPO}),
    **dict.fromkeys(("abort", "resume"), {"id": "2" * 20}),
    "answer": {"choice": "yes", "id": "2" * 20},
    "init": {"repo": "new", "source": "/srv/new"},
    "forget": {"host": "web1"},
    "maintenance": {"repo": REPO, "on": True},
    "services": {"verb": "stop", "repo": REPO},
    "suspend": {"host": "web1", "reason": "r", "repo": REPO},
    "readmit": {"host": "web1", "repo": REPO},
    "import_scap": {"directory": "/srv/old"},
    "adopt": {"repo": REPO, "path": "uploads"},
}
Call = Callable[..., dict[str, Any]]


class Runner:
    """The runner as Salt loads it, called by different people through different doors."""

    def __init__(self, checkout: Path, directory: Path) -> None:
        settings = {"module_dirs": [str(checkout)], "pillar_dirs": [str(checkout / "_pillar")]}
        self.file = configuration(checkout, directory, deploy_roles=ROLES, **settings)
        self.root = directory / "cache" / "deploy"

    def opts(self, **more: Any) -> dict[str, Any]:
        return {**salt.config.master_config(str(self.file)), "__cli": "salt-master", **more}

    def called(
        self, user: str, function: str, opts: dict[str, Any] | None = None, /, **arguments: Any
    ) -> dict[str, Any]:
        """What a function answers; ``user`` is what Salt has put there."""
        functions = salt.loader.runner(opts or self.opts())
        functions["deploy.locks"].__globals__["__user__"] = user
        view: dict[str, Any] = functions[f"deploy.{function}"](**arguments)
        return view

    def refuses(
        self, user: str, function: str, opts: dict[str, Any] | None = None, /, **arguments: Any
    ) -> bool:
        view = self.called(user, function, opts, **arguments)
        return bool(view["view"] == "error" and view["error"]["kind"] == "not-allowed" and view["retcode"])

    def journal(self) -> None:
        """A deploy of the repo of which nothing more is known."""
        place = self.root / "journal" / REPO.replace("/", "%2F") / f"{'2' * 20}.msgpack"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


@pytest.fixture(scope="module")
def runner(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    found = Runner(checkout, tmp_path_factory.mktemp("master"))
    found.journal()
    return found


@pytest.fixture
def by_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is one that Salt has made for a caller of its API."""
    monkeypatch.setattr(
        multiprocessing.current_process(), "_name", "ProcessFunc(AsyncClientMixin, fun=deploy jid=1)"
    )


def test_every_function_stands_in_the_table_of_what_is_needed() -> None:
    assert set(VERBS) == RUNNERS
    assert set(MORE) == set(CHANGES)


@pytest.mark.parametrize("function", CHANGES)
def test_nobody_without_a_role_changes_anything(runner: Runner, by_api: None, function: str) -> None:
    assert runner.refuses("mallory", function, **MORE[function])


@pytest.mark.parametrize("user", ["root", "sudo_carol", "Reactor", "UNKNOWN", "minion:deploy1", "%root", ""])
def test_a_name_of_the_api_that_means_something_elsewhere_means_nothing_there(
    runner: Runner, by_api: None, user: str
) -> None:
    assert runner.refuses(user, "sync", repo=REPO, tag="v1")


def test_who_has_the_role_is_let_in(runner: Runner, by_api: None) -> None:
    assert not runner.refuses("alice", "sync", repo=REPO, tag="v1")
    assert not runner.refuses("bob", "abort", id="2" * 20)
    assert not runner.refuses("carol", "forget", host="web1")


def test_the_repo_of_the_deploy_that_is_found_counts_and_not_the_one_that_is_named(
    runner: Runner, by_api: None
) -> None:
    assert not runner.refuses("alice", "abort", id="2" * 20), "it is of her repo"
    view = runner.called("alice", "abort", repo="demo", id="2" * 20)
    assert view["error"]["kind"] == "no-such-deploy"


@pytest.mark.parametrize(
    "arguments", [{"user": "carol"}, {"__user__": "carol"}, {"__pub_user": "carol"}, {"username": "carol"}]
)
def test_an_argument_that_names_somebody_else_makes_nobody_of_them(
    runner: Runner, by_api: None, arguments: dict[str, str]
) -> None:
    view = runner.called("mallory", "forget", host="web1", **arguments)
    assert view["error"]["kind"] in ("not-allowed", "bad-arguments")


def test_variables_of_the_environment_make_nobody_of_who_comes_by_the_api(
    runner: Runner, by_api: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SUDO_USER", "USER", "LOGNAME", "SALTDEPLOY_ASKED_BY"):
        monkeypatch.setenv(name, "carol")
    assert runner.refuses("mallory", "forget", host="web1")


def test_a_reaction_has_the_roles_of_the_reactor_whoever_has_sent_the_event(runner: Runner) -> None:
    """What stands in an event is an argument at most: any minion can send one."""
    assert runner.refuses("Reactor", "sync", repo=REPO, tag="v1", reason="user: carol")
    allowed = runner.opts(deploy_roles={"repos": {REPO: {"deployer": ["salt:reactor"]}}})
    assert not runner.refuses("Reactor", "sync", allowed, repo=REPO, tag="v1")
    assert runner.refuses("Reactor", "sync", allowed, repo="demo", tag="v1")


@pytest.mark.parametrize("user", ["UNKNOWN", "", "root"])
def test_what_the_master_calls_by_itself_has_roles_of_its_own(runner: Runner, user: str) -> None:
    assert runner.refuses(user, "lock", repo=REPO)
    allowed = runner.opts(deploy_roles={"operator": ["salt:master"]})
    assert not runner.refuses(user, "lock", allowed, repo=REPO)
    assert not runner.refuses(user, "unlock", allowed, repo=REPO)


def test_a_minion_that_asks_is_that_minion_and_not_the_user_of_the_master(runner: Runner) -> None:
    """Salt calls them by the user that the master runs as."""
    asks = {"fun": "deploy.lock", "arg": []}
    assert runner.refuses("root", "lock", runner.opts(id="web1", **asks), repo=REPO)
    locked = runner.called("root", "lock", runner.opts(id="deploy1", **asks), repo=REPO, reason="r")
    assert locked["locks"][0]["user"] == "minion:deploy1"
    runner.called("root", "unlock", runner.opts(id="deploy1", **asks), repo=REPO)
    by_another = runner.opts(id="web1", fun="state.orchestrate", arg=[])
    assert runner.refuses("UNKNOWN", "lock", by_another, repo=REPO)


def test_a_command_is_called_by_whom_the_kernel_says(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    command = runner.opts(__cli="salt-run")
    assert not runner.refuses("mallory", "forget", command, host="web1"), "root of this host"
    monkeypatch.setenv("SUDO_USER", "mallory")
    assert runner.refuses("root", "forget", command, host="web1")
    monkeypatch.setenv("SUDO_USER", "bob")
    assert not runner.refuses("root", "lock", command, repo=REPO, reason="r")
    locks = json.loads(json.dumps(runner.called("root", "locks", command)))["locks"]
    assert [each["user"] for each in locks] == ["sudo_bob"]
    runner.called("root", "unlock", command, repo=REPO)


def test_where_the_master_is_no_root_who_is_behind_sudo_counts_too(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Salt has left root's rights by then, and calls everybody by the user of the master."""
    opts = {**runner.opts(__cli="salt-run"), "user": "nobody"}

    def asks(behind: str) -> str:
        os.environ["SUDO_USER"] = behind

        def says() -> int:
            found = asking.asker_of(opts, "nobody")
            print(found.shown, found.is_root)
            return 0

        return as_nobody(says).out

    monkeypatch.setenv("SUDO_USER", "")
    assert asks("mallory") == "mallory False\n"
    assert asks("") == "nobody True\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_what_the_masters_own_user_says_of_sudo_counts_only_where_root_or_that_user_has_started_the_process(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can set the variable; who has started a process the kernel knows."""
    opts = {**runner.opts(__cli="salt-run"), "user": "nobody"}
    monkeypatch.setenv("SUDO_USER", "daemon")

    def says() -> int:
        child = os.fork()
        if child == 0:
            print(asking.asker_of(opts, "nobody").shown, flush=True)
            os._exit(0)
        return os.waitpid(child, 0)[1]

    assert as_nobody(says).out == "nobody\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_command_of_an_unprivileged_user_is_theirs_whatever_they_set(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    opts = runner.opts(__cli="salt-run")
    for name in ("SUDO_USER", "USER", "SALTDEPLOY_ASKED_BY"):
        monkeypatch.setenv(name, "root")

    def says() -> int:
        found = asking.asker_of(opts, "root")
        print(found.shown, found.is_root)
        return 0

    assert as_nobody(says).out == "nobody False\n"


def test_who_was_handed_over_counts_before_the_process_that_carries_it_out(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = runner.opts(__cli="salt-run")
    with handing(Asker(OF_MINION, "web1", "peer_run"), runner.root) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert runner.refuses("root", "lock", command, repo=REPO)


def test_where_no_roles_are_configured_all_is_as_it_was(runner: Runner, by_api: None) -> None:
    without = runner.opts(deploy_roles=None)
    locked = runner.called("mallory", "lock", without, repo=REPO, reason="r")
    assert locked["locks"][0]["user"] == "mallory"
    assert runner.called("mallory", "unlock", without, repo=REPO)["retcode"] == 0


def test_who_may_not_is_written_to_the_masters_log(
    runner: Runner, by_api: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert runner.refuses("mallory", "gc", repo=REPO)
    assert "Refused: repo test/testrepo: mallory, who came by salt-api, may not call deploy.gc" in caplog.text


def test_where_the_pillar_does_not_render_roles_are_as_they_were_read_last(
    runner: Runner, by_api: None, tmp_path: Path
) -> None:
    broken = tmp_path / "pillar"
    broken.mkdir()
    (broken / "top.sls").write_text("base:\n  '*': [no-such-sls]\n")
    opts = runner.opts(pillar_roots={"base": [str(broken)]}, deploy_roles=None)
    remembered = RememberedRoles(runner.root)
    remembered.remember(Roles({}, {REPO: {"operator": ("dan",)}}))
    assert not runner.refuses("dan", "lock", opts, repo=REPO)
    assert runner.refuses("mallory", "unlock", opts, repo=REPO)
    assert not runner.refuses("dan", "unlock", opts, repo=REPO)
    remembered.remember(Roles())


def test_roles_that_are_not_valid_let_nobody_in_but_root(runner: Runner, by_api: None) -> None:
    wrong = {"admin": ["carol"], "owner": ["mallory"]}
    view = runner.called("carol", "forget", runner.opts(deploy_roles=wrong), host="web1")
    assert (view["error"]["kind"], view["error"]["path"]) == ("config", "deploy_roles:owner")
    command = runner.opts(deploy_roles=wrong, __cli="salt-run")
    assert runner.called("root", "forget", command, host="web1")["view"] == "forgotten"
