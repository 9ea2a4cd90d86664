"""A request that came over ssh is believed as far as its form is right."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.remote_host import functions
from saltdeploy.remote_host.request import HostRequest

RIGHT: dict[str, Any] = {
    "host": "app1",
    "job": "20261129101112000000",
    "function": "deploy.fetch",
    "arguments": ["site", {"__kwarg__": True, "order": {"deploy": "20261129101112000000"}}],
    "pillar": {},
    "secret": "s",
}


def test_arguments_come_as_salt_publishes_them() -> None:
    found = HostRequest.from_wire(RIGHT)
    assert (found.arguments, dict(found.keywords)) == (("site",), {"order": {"deploy": RIGHT["job"]}})
    assert functions.is_stage(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "../app1"},
        {"host": ""},
        {"job": "1; true"},
        {"function": "cmd.run"},
        {"function": 7},
        {"arguments": "site"},
        {"pillar": None},
    ],
    ids=str,
)
def test_a_request_of_another_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DeployError):
        HostRequest.from_wire({**RIGHT, **wrong})


def test_a_rollback_without_an_order_is_one_by_hand() -> None:
    assert not functions.is_stage(
        HostRequest.from_wire({**RIGHT, "function": "deploy.rollback", "arguments": ["site"]})
    )
