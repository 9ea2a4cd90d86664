"""Who is let in at the warm door besides root: who has a role, by their name or by a group that the kernel says they are in."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from pathlib import Path

import pytest
from saltdeploy.config.roles import Roles
from saltdeploy.lib.errors import NotAllowed
from saltdeploy.master.door import rights
from saltdeploy.master.door.admission import Admission
from saltdeploy.master.door.rights import Caller
from saltdeploy.master.roles.remembered import RememberedRoles

from tests.support.nobody import as_nobody

NOBODY = pwd.getpwnam("nobody")
CALLER = Caller(1, NOBODY.pw_uid, NOBODY.pw_gid)


def test_who_has_a_role_is_let_in_as_soon_as_it_is_known_and_no_longer(tmp_path: Path) -> None:
    admission, remembered = Admission(tmp_path, None), RememberedRoles(tmp_path)
    with pytest.raises(NotAllowed):
        rights.check(CALLER, admits=admission.admits)
    remembered.remember(Roles({"operator": ("nobody",)}))
    rights.check(CALLER, admits=admission.admits)
    remembered.remember(Roles({"operator": ("somebody", "minion:nobody")}))
    assert not admission.admits(CALLER)
    remembered.path.write_text("{")
    assert not admission.admits(CALLER)


def test_a_group_counts_where_the_kernel_says_that_the_caller_is_in_it(tmp_path: Path) -> None:
    admission = Admission(tmp_path, {"repos": {"site": {"deployer": ["%daemon", "%no-such-group"]}}})
    daemon = grp.getgrnam("daemon").gr_gid
    assert admission.admits(Caller(1, NOBODY.pw_uid, NOBODY.pw_gid, (daemon,)))
    assert admission.admits(Caller(1, NOBODY.pw_uid, daemon))
    assert not admission.admits(CALLER)


def test_a_section_that_is_not_valid_lets_nobody_in(tmp_path: Path) -> None:
    assert not Admission(tmp_path, {"operator": ["nobody", "*"]}).admits(CALLER)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_the_groups_of_a_caller_are_those_of_the_process_and_not_what_it_says() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert set(Caller.of(ours).gids) == {os.getgid(), *os.getgroups()}

    def pair() -> int:
        one, other = socket.socketpair()
        with one, other:
            found = Caller.of(one)
            print(found.name, found.gids == (NOBODY.pw_gid,))
        return 0

    assert as_nobody(pair).out == "nobody True\n"
