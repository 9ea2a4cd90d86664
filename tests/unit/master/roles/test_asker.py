"""Who asks: what the kernel and sudo say counts, and what anybody can set does not."""

from __future__ import annotations

import grp
import os
import pwd

import pytest
from saltdeploy.master.roles.asker import PERSON, Asker, group_names, of_kernel

from tests.support.nobody import as_nobody

NOBODY = pwd.getpwnam("nobody")


def test_root_is_root_and_so_is_the_user_of_the_master() -> None:
    assert of_kernel(0, "", own="root", door="d") == Asker(PERSON, "root", "d", is_root=True)
    assert of_kernel(NOBODY.pw_uid, "", own="nobody", door="d").is_root


@pytest.mark.parametrize("uid", [0, NOBODY.pw_uid], ids=["root", "the user of the master"])
def test_who_is_behind_sudo_has_their_own_rights_and_not_roots(uid: int) -> None:
    found = of_kernel(uid, "daemon", own="nobody", door="salt-run")
    assert (found.name, found.is_root, found.recorded) == ("daemon", False, "sudo_daemon")
    assert grp.getgrgid(pwd.getpwnam("daemon").pw_gid).gr_name in found.groups


def test_sudo_says_nothing_in_the_command_of_anybody_else() -> None:
    found = of_kernel(NOBODY.pw_uid, "root", own="root", door="d")
    assert (found.name, found.is_root, found.recorded) == ("nobody", False, "nobody")


def test_sudo_to_ones_own_rights_leads_to_root() -> None:
    assert of_kernel(0, "root", own="salt", door="d").is_root


def test_a_user_without_a_name_has_no_role() -> None:
    nameless = of_kernel(54_321, "", own="root", door="d", gids=(54_321,))
    assert not nameless.is_among(("54321", "uid", "%54321")) and nameless.groups == frozenset()


def test_groups_are_those_that_the_kernel_has_told() -> None:
    daemon = grp.getgrnam("daemon")
    assert of_kernel(NOBODY.pw_uid, "", own="root", door="d", gids=(daemon.gr_gid,)).groups == {"daemon"}
    assert "daemon" not in of_kernel(NOBODY.pw_uid, "", own="root", door="d").groups
    assert group_names((daemon.gr_gid, 54_321)) == {"daemon"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_an_unprivileged_user_who_says_that_sudo_has_called_them_is_who_they_are() -> None:
    def says() -> int:
        os.environ["SUDO_USER"] = "root"
        found = of_kernel(os.geteuid(), os.environ["SUDO_USER"], own="root", door="d")
        print(found.name, found.is_root)
        return 0

    assert as_nobody(says).out == "nobody False\n"
