"""Parts of a tree: together they are the whole, and what is in one is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.content.compare import FileEntry, blob_id
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.verify import verify_tree
from saltdeploy.lib.readers import Given, NotValid, part


@given(st.binary(min_size=1, max_size=40), st.integers(1, 50))
def test_each_path_is_in_exactly_one_part(path: bytes, of: int) -> None:
    assert sum(path in PathSlice(number, of) for number in range(1, of + 1)) == 1


def test_a_path_is_in_the_same_part_for_ever() -> None:
    paths = [b"index.php", b"includes/limits.php", b"\xff\n", b"a/b/c"]
    assert [next(n for n in range(1, 8) if path in PathSlice(n, 7)) for path in paths] == [6, 4, 1, 2]


@pytest.fixture
def spoilt(tmp_path: Path) -> list[FileEntry]:
    """Files whose content is not that of the release, though they look as when they were written."""
    found = []
    for number in range(30):
        place = tmp_path / f"file{number}"
        place.write_text("spoilt")
        now = place.stat()
        right = tmp_path.parent / "right"
        right.write_text("rightt")
        oid = blob_id(os.fsencode(right), right.stat(), 40)
        seen = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
        found.append(FileEntry(os.fsencode(place.name), "100644", oid, *seen))
    return found


def test_the_parts_together_find_what_a_full_look_finds_each_once(
    spoilt: list[FileEntry], tmp_path: Path
) -> None:
    full = verify_tree(spoilt, tmp_path, full=True).changed
    parts = [verify_tree(spoilt, tmp_path, full=False, part=PathSlice(n, 7)).changed for n in range(1, 8)]
    assert len(full) == 30
    assert sorted(path for found in parts for path in found) == sorted(full)
    assert verify_tree(spoilt, tmp_path, full=False).ok


@pytest.mark.parametrize(("text", "means"), [("3/10", "3/10"), ("1/1", "1/1"), ("07/7", "7/7")])
def test_a_part_is_two_numbers(text: str, means: str) -> None:
    assert part(Given(text)) == means


@pytest.mark.parametrize(
    "text", ["0/7", "8/7", "3", "3/", "/7", "-1/7", "1/1001", "٣/٧", "1/7 ", 3, None, True]
)
def test_what_is_no_part_is_refused(text: object) -> None:
    with pytest.raises(NotValid):
        part(Given(text))
