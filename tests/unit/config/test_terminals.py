"""Whether deploys are begun inside tmux or screen alone, as the pillar says it."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.config import terminals
from saltdeploy.lib.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "means"), [(None, ""), (False, ""), (True, "refuse"), ("refuse", "refuse"), ("warn", "warn")]
)
def test_truth_values_are_scaps(value: Any, means: str) -> None:
    assert terminals.required({"deployment_config": {terminals.KEY: value}}) == means


@pytest.mark.parametrize("pillar", [{}, {"deployment_config": None}, {"deployment_config": {}}])
def test_without_the_key_nothing_is_wanted(pillar: dict[str, Any]) -> None:
    assert terminals.required(pillar) == ""


@pytest.mark.parametrize("value", ["tmux", 7, [], "yes please"])
def test_what_is_none_of_them_is_named_with_its_path(value: Any) -> None:
    with pytest.raises(ConfigError, match="must be warn, refuse, true or false") as caught:
        terminals.required({"deployment_config": {terminals.KEY: value}})
    assert caught.value.path == "deployment_config:require_terminal_multiplexer"
