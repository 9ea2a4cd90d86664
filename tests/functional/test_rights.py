"""Salt's own check of rights, with the example of docs/web.md: whoever may see one repo sees no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.runner
import salt.utils.minions
import yaml

from tests.functional.test_doors import by_module_dirs

MINE = {"repo": "mediawiki"}
REFUSED = {
    "another repo": ("deploy.story", (), {"repo": "secret"}),
    "a repo whose name begins like it": ("deploy.story", (), {"repo": "mediawiki-private"}),
    "a repo by position": ("deploy.story", ("secret",), {}),
    "all repos": ("deploy.overview", (), {}),
    "a function that is not named": ("deploy.sync", (), {**MINE, "tag": "v1"}),
    "an answer to another repo's question": ("deploy.answer", (), {"choice": "yes", "repo": "secret"}),
}


@pytest.fixture(scope="module")
def opts(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    _, file = by_module_dirs(checkout, tmp_path_factory.mktemp("master"))
    found: dict[str, Any] = salt.config.master_config(str(file))
    return found


@pytest.fixture(scope="module")
def rights(checkout: Path) -> list[Any]:
    (example,) = re.findall(r"```yaml\n(external_auth:.*?)```", (checkout / "docs/web.md").read_text(), re.S)
    found: list[Any] = yaml.safe_load(example)["external_auth"]["pam"]["alice"]
    return found


def may(
    opts: dict[str, Any], rights: list[Any], function: str, arguments: tuple[str, ...], named: dict[str, Any]
) -> bool:
    """Whether the master lets a call through that arrives from salt-api."""
    with salt.runner.RunnerClient(opts) as client:
        load = client._reformat_low({"fun": function, "arg": list(arguments), "kwarg": named})
    checked = salt.utils.minions.CkMinions(opts).runner_check(rights, load["fun"], load["kwarg"])
    assert isinstance(checked, bool), checked
    return checked


@pytest.mark.parametrize("function", ["overview", "story", "answer"])
def test_who_has_rights_on_a_repo_may_call_what_they_name(
    opts: dict[str, Any], rights: list[Any], function: str
) -> None:
    assert may(opts, rights, f"deploy.{function}", (), MINE)


@pytest.mark.parametrize("case", REFUSED)
def test_salt_refuses(opts: dict[str, Any], rights: list[Any], case: str) -> None:
    assert not may(opts, rights, *REFUSED[case])


@pytest.mark.parametrize("function", ["overview", "story"])
def test_a_repo_that_is_named_twice_is_refused(opts: dict[str, Any], function: str) -> None:
    """Salt has checked the one by name; the other would be the one that counts."""
    view = salt.loader.runner(opts)[f"deploy.{function}"]("secret", **MINE)
    assert (view["retcode"], view["error"]["kind"]) == (1, "bad-arguments")


def test_the_deploy_of_another_repo_is_not_found_by_its_id(opts: dict[str, Any]) -> None:
    journal = Path(opts["cachedir"], "deploy", "journal", "secret", f"{'2' * 20}.msgpack")
    journal.parent.mkdir(parents=True)
    journal.touch()
    view = salt.loader.runner(opts)["deploy.story"](id="2" * 20, **MINE)
    assert (view["retcode"], view["error"]["kind"]) == (1, "no-such-deploy")
