"""What is a pointer, and what only looks like one."""

from __future__ import annotations

import pytest
from saltdeploy.content.pointers import NoPointer, Pointer, read
from saltdeploy.git.objects import FILE, SYMLINK

SHA256 = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
SHA1 = "aa81c8e7d4ae1b5c4c4a4ab2ee5bda77f4c3f6d4"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize 12345\n".encode()
FAT = b"#$# git-fat %s %20d\n" % (SHA1.encode(), 61)
KEY = f"SHA256E-s12--{SHA256}.tar.gz"

POINTERS = [
    (FILE, LFS, Pointer("lfs", "sha256", SHA256, 12345)),
    (FILE, LFS.replace(b"git-lfs.github.com", b"hawser.github.com"), Pointer("lfs", "sha256", SHA256, 12345)),
    (FILE, FAT, Pointer("fat", "sha1", SHA1, 61)),
    (FILE, f"/annex/objects/{KEY}\n".encode(), Pointer("annex", "sha256", SHA256, 12, KEY)),
    (FILE, f"/annex/objects/{KEY}\nsomething else\n".encode(), Pointer("annex", "sha256", SHA256, 12, KEY)),
    (
        SYMLINK,
        f"../../.git/annex/objects/pX/1J/{KEY}/{KEY}".encode(),
        Pointer("annex", "sha256", SHA256, 12, KEY),
    ),
    (
        SYMLINK,
        f".git/modules/x/annex/objects/pX/1J/{KEY}/{KEY}".encode(),
        Pointer("annex", "sha256", SHA256, 12, KEY),
    ),
]
OTHERS = [
    (FILE, b""),
    (FILE, b"version https://git-lfs.github.com/spec/v2\n"),
    (FILE, LFS + b"x" * 1024),
    (FILE, FAT + b"more"),
    (FILE, b"a text about /annex/objects/" + KEY.encode()),
    (FILE, b"/annex/objects/" + b"x" * 40_000),
    (SYMLINK, LFS),
    (SYMLINK, b"../annex/objects/file"),
    (SYMLINK, b"/annex/objects/" + KEY.encode()),
]
BAD = [
    (FILE, b"version https://git-lfs.github.com/spec/v1\n", "no legal oid"),
    (FILE, LFS.replace(b"sha256", b"md5"), "no legal oid"),
    (FILE, LFS.replace(b"size 12345", b"size -1"), "no legal oid"),
    (FILE, LFS.replace(b"oid", b"ext-0-foo sha256:1\noid"), "extension"),
    (FILE, FAT.replace(b"aa81", b"AA81"), "no legal sha1"),
    (FILE, FAT[:53] + b"\n", "no legal sha1"),
    (FILE, b"/annex/objects/URL--http&c%%example.org\n", "no checksum"),
    (FILE, b"/annex/objects/WORM-s3-m1--ab\n", "none of MD5"),
    (FILE, f"/annex/objects/SHA256--{SHA256}\n".encode(), "size"),
    (FILE, f"/annex/objects/SHA256-s9-S4-C1--{SHA256}\n".encode(), "size"),
    (FILE, f"/annex/objects/SHA256-s12--{SHA256}/../../x\n".encode(), "no checksum"),
    (FILE, f"/annex/objects/SHA256E-s12--{SHA256}.a\0b\n".encode(), "no checksum"),
    (SYMLINK, b"../.git/annex/objects/aa/bb/x/x", "no checksum"),
]


@pytest.mark.parametrize(("mode", "data", "pointer"), POINTERS)
def test_a_pointer_is_read(mode: str, data: bytes, pointer: Pointer) -> None:
    assert read(mode, data) == pointer
    assert read(mode, data, ()) is None


@pytest.mark.parametrize(("mode", "data"), OTHERS)
def test_other_files_are_none(mode: str, data: bytes) -> None:
    assert read(mode, data) is None


@pytest.mark.parametrize(("mode", "data", "why"), BAD)
def test_what_looks_like_one_and_cannot_be_used_is_an_error(mode: str, data: bytes, why: str) -> None:
    with pytest.raises(NoPointer, match=why):
        read(mode, data)
