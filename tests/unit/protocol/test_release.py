"""Names: what we accept git accepts, nothing can be taken for an option or leave its directory."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from saltdeploy.lib.errors import BadName
from saltdeploy.protocol import release
from saltdeploy.protocol.release import Release, check_commit, check_host, check_repo, check_tag

from tests.support.rounds import rounds
from tests.unit.strategies import commits, repos, tags

AWKWARD = "abD1/.-:~^?*[\\@{} \t\n\x7f\x00é\u200b\u2028\udcff_+,;'\"$|&<>!#%=()"
names = st.text(AWKWARD, max_size=14) | st.lists(
    st.sampled_from(
        ["release", "2026-11-23", "1", ".lock", "@", "@{", "..", "-f", "/", "//", ".", "a.lock", ":"]
    ),
    max_size=5,
).map("".join)


def git_accepts(tag: str) -> bool:
    if "\0" in tag:
        return False
    command = [b"git", b"check-ref-format", b"refs/tags/" + os.fsencode(tag)]
    return subprocess.run(command, check=False).returncode == 0


def accepted(check: object, name: str) -> bool:
    try:
        return check(name) == name  # type: ignore[operator]
    except BadName:
        return False


@settings(max_examples=rounds(150))
@given(tag=names)
@example("@")
@example("a/@")
@example("a.lock/b")
@example("a/b.lock")
@example("a@{b")
@example("\udcff")
def test_git_accepts_every_tag_that_we_accept(tag: str) -> None:
    if accepted(check_tag, tag):
        assert git_accepts(tag)


@settings(max_examples=rounds(150))
@given(tag=names)
def test_what_git_accepts_and_we_do_not_has_a_dash_in_front_or_cannot_be_printed(tag: str) -> None:
    if git_accepts(tag) and not accepted(check_tag, tag):
        parts = tag.split("/")
        assert (
            any(part.startswith("-") for part in parts)
            or any(part.endswith(".") for part in parts)  # no directory of this name on some file systems
            or not tag.isprintable()
            or tag == "@"
        )


@pytest.mark.parametrize(
    "tag",
    [
        "v1.2.3",
        "1.0",
        "release/2026-11-23/1",
        "repo-sync-20131216-030825",
        "scap/sync/2026-11-23/0001",
        "grün",
    ],
)
def test_usual_tags_are_accepted(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["-f", "--upload-pack=x", "a/-b", "a/--", "-"])
def test_a_tag_has_no_part_that_looks_like_an_option(tag: str) -> None:
    with pytest.raises(BadName):
        check_tag(tag)


def test_who_uses_colons_is_told_what_to_type() -> None:
    with pytest.raises(BadName) as caught:
        check_tag("release/2026-11-23/14:05:00")
    assert "'release/2026-11-23/140500'" in caught.value.next
    assert check_tag("release/2026-11-23/140500")


@pytest.mark.parametrize("check", [check_tag, check_repo], ids=["tag", "repo"])
@pytest.mark.parametrize("name", ["x" * 201, "x" * 10**6])
def test_a_name_is_not_longer_than_200_bytes(check: object, name: str) -> None:
    assert accepted(check, name[:200])
    assert not accepted(check, name)


def test_length_is_counted_in_bytes_as_file_systems_do() -> None:
    assert accepted(check_tag, "é" * 100)
    assert not accepted(check_tag, "é" * 101)
    assert accepted(check_host, "é" * 127)
    assert not accepted(check_host, "é" * 128)


@settings(max_examples=rounds(150))
@given(name=names)
@example("a//b")
@example("a/../b")
@example("/a")
@example("a/")
@example("a\n")
def test_a_repo_name_stays_below_its_directory_and_is_no_option(name: str) -> None:
    if accepted(check_repo, name):
        below = os.path.normpath(f"/srv/{name}")
        assert below == f"/srv/{name}"
        assert not any(part.startswith(("-", ".")) for part in name.split("/"))


@given(one=repos, other=repos)
@example("a/b", "a%2Fb")
@example("a+b", "a/b")
def test_each_repo_has_a_file_name_of_its_own(one: str, other: str) -> None:
    assert "/" not in release.file_name(one)
    if accepted(check_repo, other):
        assert (release.file_name(one) == release.file_name(other)) == (one == other)


@given(name=st.text(AWKWARD, max_size=14))
@example(".")
@example("..")
@example("")
def test_a_host_name_is_one_printable_part_of_a_path(name: str) -> None:
    if accepted(check_host, name):
        assert os.path.basename(os.path.normpath(f"/x/{name}")) == name
        assert name.isprintable()


@pytest.mark.parametrize(
    "commit", ["", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 40 + "\n", "HEAD", "-" * 40]
)
def test_a_commit_is_a_full_id_and_nothing_else(commit: str) -> None:
    with pytest.raises(BadName):
        check_commit(commit)


@given(repo=repos, tag=tags, commit=commits)
def test_a_release_comes_over_the_wire_as_it_was(repo: str, tag: str, commit: str) -> None:
    found = Release(repo, tag, commit)
    assert Release.from_wire(found.to_wire()) == found


@pytest.mark.parametrize("key", ["repo", "tag", "commit"])
@pytest.mark.parametrize("value", [None, 7, [], {}, "", "../x", "-x"])
def test_a_release_with_a_part_of_the_wrong_form_is_refused(key: str, value: object) -> None:
    wire: dict[str, object] = {**Release("demo", "v1", "a" * 40).to_wire(), key: value}
    with pytest.raises(BadName):
        Release.from_wire(wire)
