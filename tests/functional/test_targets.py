"""F31: whom a target expression names is asked of Salt's own matcher; what it would pass over in silence is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import salt.config
from saltbridge import master as bridge
from saltdeploy.lib.errors import BadName, NoTargets

from tests.functional.test_doors import by_module_dirs

ACCEPTED = ("web1", "web2")


@pytest.fixture
def opts(checkout: Path, tmp_path: Path) -> dict[str, Any]:
    """A master that has accepted two minions, and has one nodegroup."""
    _, file = by_module_dirs(checkout, tmp_path)
    found = {**salt.config.master_config(str(file)), "nodegroups": {"canaries": "L@web1"}}
    for host in ACCEPTED:
        accept(found, host)
    return found


def accept(opts: dict[str, Any], host: str) -> None:
    key = Path(opts["pki_dir"], "minions", host)
    key.parent.mkdir(parents=True, exist_ok=True)
    key.touch()


@pytest.mark.parametrize(
    ("expression", "kind"),
    [("canaries", "nodegroup"), ("N@canaries", "compound"), ("web2 or N@canaries", "compound")],
)
def test_F31_a_nodegroup_of_the_master_is_taken(opts: dict[str, Any], expression: str, kind: str) -> None:
    assert "web1" in bridge.targets(opts, expression, kind)


@pytest.mark.parametrize(
    ("expression", "kind"), [("canarys", "nodegroup"), ("web2 or ( N@canarys )", "compound")]
)
def test_F31_a_nodegroup_that_there_is_not_is_named_with_the_near_one(
    opts: dict[str, Any], expression: str, kind: str
) -> None:
    with pytest.raises(NoTargets, match="has no nodegroup 'canarys'; it has canaries") as caught:
        bridge.targets(opts, expression, kind)
    assert caught.value.next.startswith("did you mean canaries?")
    with pytest.raises(NoTargets, match="it has none"):
        bridge.targets({**opts, "nodegroups": None}, expression, kind)


def test_F31_a_minion_id_with_a_blank_is_named_with_the_way_to_another(opts: dict[str, Any]) -> None:
    accept(opts, "web 3")
    assert bridge.targets(opts, "web1", "glob") == ["web1"], (
        "whoever does not take the repo is in nobody's way"
    )
    assert bridge.accepted(opts) == ["web1", "web2"]
    with pytest.raises(BadName, match="'web 3' is not a legal host name: the minion with this id") as caught:
        bridge.targets(opts, "*", "glob")
    assert caught.value.next.endswith("salt-key -y -d 'web 3'")
