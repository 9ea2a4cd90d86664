"""Where a submodule is fetched from, and where it must not be."""

from __future__ import annotations

import pytest
from saltdeploy.git.submodules import Urls, urls_in
from saltdeploy.lib.errors import Corrupt

TOP = "https://git.example.org/core/site.git"

URLS = [
    ("https://other.example.org/lib.git", TOP, "https://other.example.org/lib.git"),
    ("git@other.example.org:lib.git", TOP, "git@other.example.org:lib.git"),
    ("../lib.git", TOP, "https://git.example.org/core/lib.git"),
    ("../../lib.git", f"{TOP}/", "https://git.example.org/lib.git"),
    ("./lib", TOP, "https://git.example.org/core/site.git/lib"),
    ("../lib.git", "git@git.example.org:site.git", "git@git.example.org:lib.git"),
    ("../lib.git", "git@git.example.org:core/site.git", "git@git.example.org:core/lib.git"),
    ("../lib", "/srv/git/site", "/srv/git/lib"),
]
REWRITES = (
    ("https://git.example.org/", "https://mirror.example.net/"),
    ("https://git.example.org/core/", "/srv/mirrors/"),
    ("/srv/secret/", "/srv/public/"),
)
REWRITTEN = [
    ("https://git.example.org/x", "https://mirror.example.net/x"),
    ("../lib.git", "/srv/mirrors/lib.git"),
    ("/srv/secret/x", "/srv/public/x"),
    ("https://elsewhere.example.org/x", "https://elsewhere.example.org/x"),
]
FORBIDDEN = [
    "/srv/secret/x",
    "file:///srv/secret/x",
    "ext::sh -c id",
    "fd::3",
    "-oProxyCommand=id",
    "ssh://-oProxyCommand=id/x",
    "lib",
    "",
]


@pytest.mark.parametrize(("said", "above", "url"), URLS)
def test_a_url_is_read_as_git_reads_it(said: str, above: str, url: str) -> None:
    assert Urls(TOP).of(said, above) == url


@pytest.mark.parametrize(("said", "url"), REWRITTEN)
def test_the_longest_rewriting_leads_elsewhere(said: str, url: str) -> None:
    assert Urls(TOP, REWRITES).of(said, TOP) == url


@pytest.mark.parametrize("said", FORBIDDEN)
def test_a_release_cannot_make_a_host_read_its_own_disk_or_run_programs(said: str) -> None:
    with pytest.raises(Corrupt, match="no URL that a submodule may have"):
        Urls(TOP).of(said, TOP)


def test_gitmodules_gives_paths_and_urls_whatever_the_names_are() -> None:
    said = b'[submodule "a"]\npath = lib/a\nurl = ../a\n[submodule "old name"]\n\tpath = b/\n\turl = x://y\n[submodule "c"]\npath = c\n'
    assert urls_in(said) == {b"lib/a": "../a", b"b": "x://y"}


@pytest.mark.parametrize("rubbish", [b"[submodule", b"\xff\xfe", b"[include]\n"])
def test_rubbish_is_refused_or_says_nothing(rubbish: bytes) -> None:
    try:
        assert urls_in(rubbish) == {}
    except Corrupt:
        pass
