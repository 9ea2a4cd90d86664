"""Salt's own check of the recipe for ``publisher_acl`` in docs/roles.md: this runner by this minion, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import salt.auth
import salt.config
import salt.utils.minions
import yaml

from tests.functional.test_doors import by_module_dirs

MASTER = "master1.example.org"
NAMED = {"kwarg": {"repo": "mediawiki"}, "__kwarg__": True}
CALLS = {
    "a deploy": (True, MASTER, "saltutil.runner", ["deploy.sync", NAMED]),
    "a way back": (True, MASTER, "saltutil.runner", ["deploy.rollback", NAMED]),
    "another runner": (False, MASTER, "saltutil.runner", ["salt.cmd", "cmd.run", "id"]),
    "one whose name begins so": (False, MASTER, "saltutil.runner", ["deploy.synchronize"]),
    "one whose name ends so": (False, MASTER, "saltutil.runner", ["my.deploy.sync"]),
    "what is an admin's": (False, MASTER, "saltutil.runner", ["deploy.gc"]),
    "another function": (False, MASTER, "cmd.run", ["id"]),
    "another minion": (False, "web1", "saltutil.runner", ["deploy.sync", NAMED]),
    "all minions": (False, "*", "saltutil.runner", ["deploy.sync", NAMED]),
}


@pytest.fixture(scope="module")
def opts(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    _, file = by_module_dirs(checkout, tmp_path_factory.mktemp("master"))
    found: dict[str, Any] = salt.config.master_config(str(file))
    keys = Path(found["pki_dir"], "minions")
    keys.mkdir(parents=True)
    for name in (MASTER, "web1"):
        (keys / name).write_text("a key\n")
    return found


@pytest.mark.parametrize("case", CALLS)
def test_S67_who_stands_in_it_may_deploy_by_that_minion_and_nothing_else(
    opts: dict[str, Any], checkout: Path, case: str
) -> None:
    (example,) = re.findall(
        r"```yaml\n(publisher_acl:.*?)```", (checkout / "docs/roles.md").read_text(), re.S
    )
    rights = yaml.safe_load(example)["publisher_acl"]["alice"]
    allowed, target, function, arguments = CALLS[case]
    checker = salt.utils.minions.CkMinions(opts)
    assert checker.auth_check(rights, function, arguments, target, "glob") is allowed


@pytest.mark.parametrize("said", ["alice", "root"])
def test_salt_lets_whoever_has_a_local_key_call_any_runner_as_the_page_says(
    opts: dict[str, Any], said: str
) -> None:
    """The master asks for nothing else where a runner is called with a key: see ``ClearFuncs.runner``."""
    opts = {**opts, "publisher_acl": {"alice": [{MASTER: ["test.ping"]}]}}
    keys = {"root": "the key of root", "alice": "a key that alice can read"}
    load = {"user": said, "key": keys["alice"], "fun": "salt.cmd"}
    assert not salt.auth.LoadAuth(opts).check_authentication(load, "user", key=keys)["error"]
