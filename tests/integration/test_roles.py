"""Roles on a real master: the recipes of docs/roles.md for salt-api, minions and sudo, and each forged.

More of the warm door is in tests/functional/test_roles_at_the_warm_door.py: it needs no minion.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltbridge import asking

from tests.integration.door import COMMAND, Door
from tests.integration.fleet import Fleet
from tests.integration.repo import Repo
from tests.integration.rollouts import journal
from tests.integration.saltapi import SaltApi
from tests.support.nobody import Said, let_pass, typed_by_nobody

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@contextlib.contextmanager
def deployers(repo: Repo, *names: str) -> Iterator[None]:
    """Only these may deploy the repo from now on, and nobody any other repo."""
    repo.configure(roles={"deployer": list(names)})
    asking.configured(repo.fleet.opts)  # as the engine does it once a minute
    try:
        yield
    finally:
        repo.configure(roles=None)
        asking.configured(repo.fleet.opts)


def by(repo: Repo) -> tuple[str, str]:
    """By whom, and by which role, the newest deploy is recorded."""
    started = journal(repo)[0]
    return started["user"], started["role"]


def test_S67_by_eauth_an_account_has_its_roles_and_no_others(fleet: Fleet, repo: Repo) -> None:
    with fleet.api() as url, deployers(repo, "deployer"):
        account = SaltApi(url, "deployer")
        for more in ({}, {"user": "root"}, {"__user__": "root"}, {"__pub_user": "root"}):
            said = account.run("deploy.gc", more)
            assert said["error"]["kind"] in ("not-allowed", "bad-arguments"), more
        done = account.run("deploy.sync", {"repo": repo.name, "tag": "v0"})
    assert done["outcome"] == "CONVERGED", done
    assert by(repo) == ("deployer", "deployer")


def test_S67_by_peer_run_a_minion_has_its_roles_and_the_record_names_it(fleet: Fleet, repo: Repo) -> None:
    with deployers(repo, "minion:web8"):
        refused = fleet.salt("web8", "publish.runner", "deploy.lock", arg=["reason=all"]).data
        assert refused["error"]["kind"] == "not-allowed", refused
        begun = fleet.salt("web8", "publish.runner", "deploy.sync", arg=[f"repo={repo.name}", "tag=v0"]).data
        assert begun["view"] == "detached", begun
        assert repo.run("watch").data["outcome"] == "CONVERGED"
    assert by(repo) == ("minion:web8", "deployer")
    assert list((fleet.root / "asked").iterdir()) == []


@pytest.fixture
def beside(fleet: Fleet) -> Iterator[Path]:
    """The master's configuration, which a minion lies beside, as in /etc/salt; others may come to what Salt lets them to."""
    configuration = Path(fleet.opts["conf_file"])
    link = fleet.hosts["web8"].config.with_name("master")
    link.symlink_to(configuration)
    # Salt lets its own group listen on the bus, which on a real master those users are in
    shutil.chown(Path(fleet.opts["sock_dir"], "master_event_pub.ipc"), group="nogroup")
    let_pass(configuration, *(Path(fleet.opts[key]) for key in ("cachedir", "sock_dir")))
    try:
        yield configuration.parent
    finally:
        link.unlink()


@only_root
@pytest.mark.repo(
    fetch_module_calls={"gate.wait": ["DISK/gate"]},
    checks={
        "page": {"type": "command", "after": "fetch", "command": ["cat", "/no-such-page"], "group": "all"}
    },
    groups=[{"name": "all"}],
)
def test_S67_S68_who_has_a_role_deploys_at_the_warm_door_and_reads_why_a_host_failed(
    fleet: Fleet, repo: Repo, beside: Path
) -> None:
    Door(fleet).wait()

    def types(*words: str, out: str = "json") -> Said:
        """``saltdeploy`` by nobody, with whatever Python the host has."""
        command = [sys.executable, str(COMMAND), "-c", str(beside), f"--out={out}", *words]
        return typed_by_nobody(command, PATH="/nonexistent")

    with deployers(repo, "nobody"):
        held = types("sync", f"repo={repo.name}", "tag=v0")
        assert held.status == 1, held
        view = json.loads(held.out)
        assert (view["outcome"], by(repo)) == ("HELD", ("nobody", "deployer"))
        said = types("show", f"id={view['deploy']}", out="deploy").out
    assert "Check 'page' failed: cat: /no-such-page: No such file or directory (exit code 1)" in said
    assert re.search(r"\tweb1: [0-9.]+ .?B free, \d+ inodes\n", said), said
    assert re.search(r"Next: on web1: .*cat /no-such-page", said), said
    refused = types("sync", f"repo={repo.name}", "tag=v0")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("saltdeploy: nobody may not use the deploy command of this master")


@only_root
def test_S67_by_sudo_it_is_who_has_called_sudo_and_no_option_gets_through(
    fleet: Fleet, repo: Repo, checkout: Path, short_directory: Path
) -> None:
    program = short_directory / "salt-run"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(fleet.command("x")[:-1])} "$@"\n')
    program.chmod(0o755)
    short_directory.chmod(0o755)
    (snippet,) = re.findall(r"```sudoers\n(.*?)```", (checkout / "docs/roles.md").read_text(), re.S)
    rules = short_directory / "sudoers"
    rules.write_text(snippet.replace("/usr/bin/salt-run", str(program)).replace("%web ", "nobody "))

    def sudo(*words: str) -> subprocess.CompletedProcess[str]:
        """As nobody, in a mount namespace whose rules of sudo are these alone."""
        inner = shlex.join(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sudo", "-n", *words]
        )
        place = f"mount -t tmpfs -o mode=0755 none /etc/sudoers.d && install -m 0440 {rules} /etc/sudoers.d/deploy"
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", f"{place} && {inner}"], capture_output=True, text=True
        )

    assert subprocess.run(["visudo", "-c", "-f", str(rules)], capture_output=True).returncode == 0
    call = (str(program), "--out=json", "--no-color")
    with deployers(repo, "nobody"):
        done = sudo(*call, "deploy.sync", f"repo={repo.name}", "tag=v0")
        assert done.returncode == 0, done
        refused = sudo(*call, "deploy.gc")
        assert json.loads(refused.stdout)["error"]["kind"] == "not-allowed"
        for words in (
            (*call, "deploy.gc", "-c", "/tmp"),
            (*call, "deploy.gc", "x=y -c /tmp"),
            (*call, "-c", "/tmp", "deploy.gc"),
            (*call, "salt.cmd", "fun=cmd.run"),
            ("SUDO_USER=root", *call, "deploy.gc"),
        ):
            said = sudo(*words).stderr
            assert "a password is required" in said or "not allowed" in said, words
    assert by(repo) == ("sudo_nobody", "deployer")
