"""Errors: one number per kind, the same thing on both ends of a wire, and nothing secret in them."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltdeploy.config.repo import unknown_in_pillar
from saltdeploy.lib import errors, text
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull, GitFailed, NoPermission, ReadOnly
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.wire_errors import from_wire

from tests.support.advice import commands_in
from tests.support.rounds import rounds
from tests.unit.strategies import anything


def tree(cls: type[DeployError] = DeployError) -> list[type[DeployError]]:
    """All classes of the module, not those that other modules derive from them."""
    below = [deeper for child in cls.__subclasses__() for deeper in tree(child)]
    return [each for each in [cls, *below] if each.__module__ == errors.__name__]


KINDS = sorted(tree(), key=lambda cls: cls.kind)
words = st.text(max_size=60)


def test_each_kind_has_a_number_of_its_own() -> None:
    assert len({cls.kind for cls in KINDS}) == len({cls.status for cls in KINDS}) == len(KINDS)


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.kind)
def test_a_number_is_never_one_that_git_or_trebuchet_may_give(cls: type[DeployError]) -> None:
    assert cls is GitFailed or 129 < cls.status < 256


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.kind)
@settings(max_examples=rounds(10))
@given(
    cause=words, repo=words, host=words, path=words, following=words, status=st.none() | st.integers(-1, 255)
)
def test_an_error_comes_over_the_wire_as_it_was(
    cls: type[DeployError], cause: str, repo: str, host: str, path: str, following: str, status: int | None
) -> None:
    error = cls(cause, repo=repo, host=host, path=path, next=following, status=status)
    for wire in (json.loads(json.dumps(error.to_wire())), msgpack.unpackb(msgpack.packb(error.to_wire()))):
        found = from_wire(wire)
        assert type(found) is cls
        assert found.to_wire() == error.to_wire()
        assert str(found) == str(error) if following else str(found).startswith(str(error))


@given(data=anything)
def test_whatever_comes_over_the_wire_is_some_error(data: object) -> None:
    found = from_wire(data)
    assert isinstance(found, DeployError)
    msgpack.packb(found.to_wire())


@given(fields=st.fixed_dictionaries({key: anything for key in ("kind", "status", "cause", "path", "next")}))
def test_parts_of_the_wrong_form_are_left_out(fields: dict[str, object]) -> None:
    found = from_wire(fields)
    assert -1 <= found.status <= 255
    msgpack.packb(found.to_wire())


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.kind)
def test_F12_no_error_leaves_its_reader_without_a_command(cls: type[DeployError]) -> None:
    for error in (cls("it is bent"), cls("it is bent", repo="demo")):
        command = next(commands_in(error.to_wire()["next"]), None)
        if command is None:
            assert error.to_wire()["next"] == "salt-run -d deploy"
            continue
        assert command.program == "salt-run"
        assert not command.open


def test_an_error_names_where_why_and_what_next() -> None:
    error = Corrupt("it is bent", repo="demo", host="web1", path="/srv/x", next="straighten it")
    assert str(error) == "repo demo, host web1, path /srv/x: it is bent. Next: straighten it"


def test_what_the_raiser_knew_is_not_overwritten_on_the_way_up() -> None:
    error = Corrupt("it is bent", repo="demo").at(repo="other", host="web1")
    assert (error.repo, error.host) == ("demo", "web1")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, NoPermission),
        (errno.EPERM, NoPermission),
        (errno.EROFS, ReadOnly),
        (errno.EIO, DeployError),
    ],
)
def test_an_error_of_the_operating_system_becomes_one_of_ours(number: int, kind: type[DeployError]) -> None:
    found = from_os(OSError(number, "words", "/srv/x"), repo="demo")
    assert type(found) is kind
    assert (found.repo, found.path) == ("demo", "/srv/x")


@pytest.mark.parametrize("name", [b"/srv/\xff", "/srv/\udcff"])
def test_a_file_name_of_any_bytes_can_be_told(name: str | bytes) -> None:
    wire = from_os(OSError(errno.EIO, "words", name)).to_wire()
    assert wire["path"] == "/srv/\\udcff"
    assert msgpack.unpackb(msgpack.packb(wire)) == wire


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("https://user:secret@host/x", "https://***@host/x"),
        ("https://secret@host/x", "https://***@host/x"),
        ("https://user:sec%40ret@host:8443/x", "https://***@host:8443/x"),
        ("ssh://git:secret@host/x", "ssh://***@host/x"),
        ("git://user:se@cret@host/x", "git://***@host/x"),
        ("fatal: cannot read 'https://user:secret@host/x'", "fatal: cannot read 'https://***@host/x'"),
        ("git:secret@host: Permission denied", "***@host: Permission denied"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git@host:x/y.git", "git@host:x/y.git"),
        ("/srv/git/x.git", "/srv/git/x.git"),
    ],
)
def test_no_password_of_a_url_is_told(said: str, told: str) -> None:
    assert text.public(said) == told


def test_the_operations_page_lists_the_kinds_and_numbers_that_exist(checkout: Path) -> None:
    page = (checkout / "docs" / "operations.md").read_text()
    listed = {(int(number), kind) for number, kind in re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", page, re.M)}
    assert listed == {(cls.status, cls.kind) for cls in KINDS if cls is not GitFailed}  # its number is git's


@pytest.mark.parametrize(
    ("known", "hint", "says", "act"),
    [
        (
            [],
            "add it",
            "it has no repo_config at all",
            "let an entry of top.sls that matches m1 name the sls",
        ),
        (["a", "b"], "add it", "it has a, b", "add repo_config:demo to an sls that top.sls gives m1"),
        (["demos"], "did you mean demos", "it has demos", "did you mean demos; else add repo_config:demo"),
    ],
)
def test_F16_a_repo_that_is_not_in_the_pillar_names_the_id_and_what_top_sls_does_not_give_it(
    known: list[str], hint: str, says: str, act: str
) -> None:
    error = errors.UnknownRepo("there is no repo demo in the pillar", repo="demo", next=hint)
    told = unknown_in_pillar(error, "m1", "this master", known)
    assert told.cause.startswith("there is no repo demo in the pillar of m1, the id of this master; ")
    assert says in told.cause
    assert told.next.startswith(act)
    assert told.next.endswith("salt-run pillar.show_pillar m1 shows what it has")
