"""Which Salt will do."""

from __future__ import annotations

import pytest
from saltdeploy.lib.errors import SaltTooOld
from saltdeploy.lib.versions import check_salt


@pytest.mark.parametrize(
    "version", [(3006,), (3006, 29), (3007,), (3007, 0), (3007, 1), (3008, 3), (3008, 0, "rc1", 0), (3100,)]
)
def test_a_salt_that_is_new_enough_is_accepted(version: tuple[object, ...]) -> None:
    check_salt(version)


@pytest.mark.parametrize("version", [(3005, 5), (2019, 2, 0), (2017,), ("n/a", 0)])
def test_a_salt_that_is_too_old_is_named_with_its_host(version: tuple[object, ...]) -> None:
    with pytest.raises(SaltTooOld) as caught:
        check_salt(version, "web1")
    assert caught.value.host == "web1"
    assert "3006" in caught.value.cause
