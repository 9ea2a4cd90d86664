"""What git-annex's notes about URLs mean, and lists of them: neither is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from saltdeploy.blobs import annex_urls
from saltdeploy.lib.errors import Corrupt

A, B = "https://example.org/a", "http://example.org/b"


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (f"1.5s 1 {A}\n", [A]),
        (f"1s 1 {A}\n2s 1 {B}\n", [B, A]),
        (f"10s 1 {A}\n9s 0 {A}\n", [A]),
        (f"9s 1 {A}\n10s 0 {A}\n", []),
        (f"1795838167.306385616s 0 {A}\n1795838167.306385617s 1 {A}\n", [A]),
        (f"1s X {A}\n", []),
        ("1s 1 https://example.org/with space\n", ["https://example.org/with space"]),
        (f"1s 1 yt:{A}\n1s 1 quvi:{A}\n1s 1 :{A}\n", []),
        ("1s 1 file:///etc/passwd\n1s 1 ftp://example.org/a\n1s 1 magnet:?xt=1\n", []),
        ("1s 1 http://\n1s 1 http://[::1\n1s 1 http://h:99999/\n1s 1 https:///x\n", []),
        (f"1s 1 {A}{'x' * 2000}\n", []),
        (f"one 1 {A}\n1s1 {A}\n\n\0\n", []),
    ],
)
def test_the_newest_word_about_a_url_holds_and_only_web_servers_count(log: str, found: list[str]) -> None:
    assert annex_urls.noted(log.encode()) == found


def test_of_very_many_urls_the_newest_are_taken() -> None:
    log = "".join(f"{n}s 1 {A}{n}\n" for n in range(1000))
    assert annex_urls.noted(log.encode()) == [f"{A}{n}" for n in range(999, 991, -1)]


def test_a_list_gives_back_what_is_asked_for(tmp_path: Path) -> None:
    known = {"K2": [A], "K1": [B, A], "K3\udcff": [B]}
    annex_urls.write(known, tmp_path / "one")
    annex_urls.write(dict(reversed(known.items())), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert annex_urls.read(tmp_path / "one", {"K1", "K3\udcff", "K4"}) == {"K1": [B, A], "K3\udcff": [B]}


def test_a_list_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annex_urls, "MOST_OF_A_LIST", 100)
    annex_urls.write({f"K{n}": [A] for n in range(10)}, tmp_path / "list")
    assert annex_urls.read(tmp_path / "list", {f"K{n}" for n in range(10)}) == {
        f"K{n}": [A] for n in range(3)
    }


def test_illegal_urls_of_a_list_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(json.dumps(["K", "file:///etc/shadow", 7, None, A]) + "\n")
    assert annex_urls.read(tmp_path / "list", {"K"}) == {"K": [A]}


@pytest.mark.parametrize("data", [b"[", b"{}\n", b"[]\n", b"[1]\n", b"\xff\n", b"[" * 200_000])
def test_what_is_no_list_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(Corrupt, match="list of URLs"):
        annex_urls.read(tmp_path / "list", {"K"})
