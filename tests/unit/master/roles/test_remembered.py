"""The roles as they were read last, for when the pillar cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.config.roles import Roles
from saltdeploy.lib.errors import DamagedFile
from saltdeploy.master.roles.remembered import RememberedRoles

ROLES = Roles({"admin": ("carol",)}, {"site": {"deployer": ("alice",)}})


def test_what_was_read_last_is_known_and_written_only_when_it_changes(tmp_path: Path) -> None:
    remembered = RememberedRoles(tmp_path)
    assert remembered.last() == Roles()
    remembered.remember(ROLES)
    assert (remembered.last(), remembered.path.stat().st_mode & 0o777) == (ROLES, 0o600)
    before = remembered.path.stat().st_ino
    remembered.remember(ROLES)
    assert remembered.path.stat().st_ino == before
    remembered.remember(Roles())
    assert not remembered.path.exists() and remembered.last() == Roles()


def test_a_damaged_file_is_an_error_until_the_roles_are_read_again(tmp_path: Path) -> None:
    remembered = RememberedRoles(tmp_path)
    remembered.path.write_text('{"admin": "no')
    with pytest.raises(DamagedFile):
        remembered.last()
    remembered.remember(ROLES)
    assert remembered.last() == ROLES
