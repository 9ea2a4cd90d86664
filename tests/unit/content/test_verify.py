"""A tree is compared with the files that it should hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.content import verify
from saltdeploy.content.compare import FileEntry, blob_id
from saltdeploy.content.verify import Findings, verify_tree

NAMES = ("a", "d/b", "d/e/c")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        file.chmod(0o644)
    return tmp_path / "tree"


def expected(root: Path) -> Iterator[FileEntry]:
    """The files as they are now."""
    for name in NAMES:
        place = os.fsencode(root / name)
        now = os.lstat(place)
        seen = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
        digest = hashlib.sha256(name.encode()).digest()
        yield FileEntry(name.encode(), "100644", blob_id(place, now, 40), *seen, digest)


def verified(entries: list[FileEntry], root: Path, *, full: bool = False) -> Findings:
    known = {entry.path for entry in entries}
    return verify_tree(entries, root, full=full, is_expected=known.__contains__)


@pytest.mark.parametrize("full", [False, True])
def test_a_tree_that_is_as_it_was_has_no_findings(root: Path, full: bool) -> None:
    assert verified([*expected(root)], root, full=full) == Findings(files=3)


@pytest.mark.parametrize("full", [False, True])
def test_what_is_gone_changed_or_too_much_is_named(root: Path, full: bool) -> None:
    entries = [*expected(root)]
    (root / "a").unlink()
    (root / "d/b").write_text("B, and longer")
    (root / "d/new").write_text("")
    (root / "empty").mkdir()
    found = verified(entries, root, full=full)
    assert (found.missing, found.changed, sorted(found.extra)) == (["a"], ["d/b"], ["d/new", "empty/"])
    assert (found.files, found.wrong, found.ok) == (3, 4, False)


def test_a_file_behind_a_link_to_a_directory_is_missing(root: Path) -> None:
    entries = [*expected(root)]
    (root / "d").rename(root.parent / "elsewhere")
    (root / "d").symlink_to("../elsewhere")
    assert verified(entries, root).missing == ["d/b", "d/e/c"]


def test_a_file_with_the_stat_that_it_had_is_read_only_when_all_are(root: Path) -> None:
    entries = [replace_oid(entry) for entry in expected(root)]
    assert verified(entries, root).ok
    assert verified(entries, root, full=True).wrong == 3


def replace_oid(entry: FileEntry) -> FileEntry:
    return entry._replace(oid="0" * 40, digest=bytes(32))


def test_a_file_that_was_never_seen_is_read(root: Path) -> None:
    entries = [replace_oid(entry)._replace(size=0, mtime=0, ctime=0, inode=0) for entry in expected(root)]
    assert verified(entries, root).wrong == 3


@pytest.mark.parametrize("unreadable", [True, False])
def test_a_file_that_cannot_be_read_is_changed_in_an_image_and_an_error_in_a_tree(
    root: Path, unreadable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(place: bytes, entry: FileEntry, **_: object) -> str:
        raise OSError(5, "Input/output error", place)

    entries = [*expected(root)]
    monkeypatch.setattr(verify, "compare", damaged)
    if unreadable:
        assert verify_tree(entries, root, full=True, unreadable=True).changed == list(NAMES)
    else:
        with pytest.raises(OSError, match="Input/output"):
            verify_tree(entries, root, full=True)


def test_without_a_word_on_what_is_expected_nothing_is_too_much(root: Path) -> None:
    assert verify_tree([], root, full=True) == Findings()
