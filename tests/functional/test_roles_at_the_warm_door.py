"""A user without any right of Salt's at the warm door of a master: the listening process with Salt in it, and no minion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.config
from saltbridge import asking
from saltclient import command
from saltdeploy.master.door.keeper import _PROGRAM

from tests.functional.test_doors import configuration
from tests.support.doors import greeting, wait_for
from tests.support.nobody import Said, as_nobody

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
REPO, OTHER = "site", "other"


class Master:
    """A master's configuration and pillar, whose warm door listens."""

    def __init__(self, checkout: Path, directory: Path) -> None:
        self.directory = directory
        self.pillar = directory / "pillar"
        for place in (self.pillar, directory / "run", directory / "cache" / "proc"):
            place.mkdir(parents=True)
        (self.pillar / "top.sls").write_text("base: {'*': [repos]}")
        self.has()
        settings = {"module_dirs": [str(checkout)], "pillar_roots": {"base": [str(self.pillar)]}}
        configuration(checkout, directory, **settings).rename(directory / "master")
        self.socket = directory / "run" / "deploy.sock"

    def has(self, **roles: list[str]) -> None:
        """What the pillar says of the roles of one repo from now on."""
        repos = {REPO: {"location": "/srv/site", "roles": roles}, OTHER: {"location": "/srv/other"}}
        (self.pillar / "repos.sls").write_text(json.dumps({"repo_config": repos}))

    def knows(self, **roles: list[str]) -> None:
        """The same, and the door knows it, as the engine sees to it."""
        self.has(**roles)
        asking.configured(salt.config.master_config(str(self.directory / "master")))

    def types(self, *words: str, **environment: str) -> Said:
        """``saltdeploy`` by nobody."""

        def act() -> int:
            os.environ.update({"SALTDEPLOY_SOCKET": str(self.socket), **environment})
            return command.main(["-c", str(self.directory), "--out=json", *words])

        return as_nobody(act)

    def answers(self, *words: str, **environment: str) -> str:
        """The view; of an error, its kind."""
        said = self.types(*words, **environment)
        assert said.out.startswith("{"), said
        view: dict[str, Any] = json.loads(said.out)
        return str(view["error"]["kind"] if view["view"] == "error" else view["view"])


@pytest.fixture(scope="module")
def master(checkout: Path) -> Iterator[Master]:
    with tempfile.TemporaryDirectory(prefix="door-", dir="/tmp") as place:
        Path(place).chmod(0o755)
        found = Master(checkout, Path(place))
        package = str(checkout / "_utils")
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, package, str(found.directory / "master"), str(os.getpid())]
        )
        try:
            wait_for(lambda: greeting(found.socket)[0])
            yield found
        finally:
            process.terminate()
            process.wait()


def test_S67_who_has_a_role_is_let_in_and_has_that_role_for_that_repo(master: Master) -> None:
    master.knows(deployer=["nobody"])
    assert master.answers("lock", f"repo={REPO}", "reason=x") == "locks"
    assert [each["user"] for each in json.loads(master.types("locks").out)["locks"]] == ["nobody"]
    assert master.answers("unlock", f"repo={REPO}") == "locks"
    for words in (
        ("lock", f"repo={OTHER}", "reason=x"),
        ("lock", "reason=x"),
        ("gc",),
        ("forget", "host=web1"),
    ):
        assert master.answers(*words) == "not-allowed", words


def test_S67_the_groups_are_those_that_the_kernel_says(master: Master) -> None:
    master.knows(operator=["%nogroup"])
    assert master.answers("lock", f"repo={REPO}", "reason=x") == "locks"
    assert master.answers("unlock", f"repo={REPO}") == "locks"


@pytest.mark.parametrize("name", ["SUDO_USER", "USER", "SALTDEPLOY_ASKED_BY"])
def test_S67_nothing_that_they_set_makes_somebody_else_of_them(master: Master, name: str) -> None:
    master.knows(deployer=["nobody"], operator=["root", "somebody"])
    assert master.answers("lock", "reason=x", **{name: "root"}) == "not-allowed"
    assert master.answers("lock", "reason=x", "user=root") in ("not-allowed", "bad-arguments")


def test_S67_who_has_no_role_is_not_let_in_and_who_has_lost_it_no_longer(master: Master) -> None:
    master.knows(deployer=["nobody"])
    master.has(deployer=["somebody"])
    assert master.answers("lock", f"repo={REPO}", "reason=x") == "not-allowed", (
        "the runner knows before the door does"
    )
    said = master.types("locks")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("saltdeploy: nobody may not use the deploy command of this master; root may.")
