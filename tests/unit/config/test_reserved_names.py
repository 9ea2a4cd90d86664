"""No repo is called as something that is kept beside what repos keep."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import BadName

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"


def load(name: str) -> config.Repo:
    return config.load({"repo_config": {name: {}}}, name)


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("payloads", "payloads-releases"),
        ("swarm", "swarm-releases"),
        ("booked", "booked-releases"),
        ("booked.lock", "booked.lock-releases"),
        ("wiki.submodules", "wiki-submodules"),
        ("wiki+commits", "wiki-commits"),
        ("wiki/slot0+submodules", "wiki/slot0-submodules"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_one_that_is_not(name: str, offered: str) -> None:
    with pytest.raises(BadName) as caught:
        load(name)
    assert caught.value.next.endswith(f": {offered}")
    assert load(offered).name == offered


def test_whatever_a_minion_keeps_beside_the_directories_of_repos_is_no_repos_name() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `minion:")]
    beside = {row.removeprefix("minion:").split("/")[0] for row in rows} - {"<repo>", ""}
    assert beside == {".keys", "payloads", "swarm", "booked", "booked.lock"}
    for name in beside:
        with pytest.raises(BadName):
            load(name)
