"""A repository of big binary files as localisation makes them: cdb files of messages, one for each language.

The messages are lines of real text out of npm packages, no two the same in one file. Each later release changes one message in a
hundred, so that one hundredth of the bytes is other, and all offsets behind an edit are.

Usage::

    python3 -m bench.blobs MEGABYTES [DIRECTORY]
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bench import big_tree, cache

_FILE = 5_000_000  # bytes of a language's messages
_BESIDE = 38  # bytes of a file for each message: its key, two lengths, a place in a table that is half full
_EVERY = 100
_TEXT = tuple(
    f".{kind}".encode() for kind in "md ts js mjs cjs json svg css scss less html vue map txt yml".split()
)
RELEASES = ("base", "next/1", "next/2")

Messages = list[tuple[bytes, bytes]]


def build(directory: Path, megabytes: int) -> Path:
    """Make the repository, unless it is there already; return the bare repository.

    Args:
        directory: holds the packages and the repositories.
        megabytes: of all files of a release.
    """
    repository = directory / f"blobs-{megabytes}.git"
    if not (repository / "complete").exists():
        big_tree.import_history(repository, lambda out: _write(out, directory / "packages", megabytes))
    return repository


def _write(out: IO[bytes], packages: Path, megabytes: int) -> None:
    languages = list(_languages(_lines(packages), 1_000_000 * megabytes))
    for number, release in enumerate(RELEASES):
        big_tree.begin_commit(out, number, release)
        for language, messages in enumerate(languages):
            if number:
                _edit(messages, number)
            big_tree.put_file(out, b"cache/l10n/l10n_cache-%03d.cdb" % language, "100644", _cdb(messages))
        big_tree.tag(out, release)


def _languages(lines: Iterator[bytes], size: int) -> Iterator[Messages]:
    """Messages for one file after the other, until there are ``size`` bytes."""
    messages: dict[bytes, bytes] = {}  # the text, and its key
    used = whole = 0
    for line in lines:
        if line in messages:
            continue
        messages[line] = b"messages:%d" % len(messages)
        used += len(line) + _BESIDE
        if used >= min(_FILE, size - whole):
            yield [(key, text) for text, key in messages.items()]
            messages, whole, used = {}, whole + used, 0
            if whole >= size:
                return
    raise SystemExit(f"the packages have {whole:,} bytes of text, and {size:,} are wanted")


def _lines(packages: Path) -> Iterator[bytes]:
    for name, versions in big_tree.PACKAGES.items():
        for path, _, content in big_tree.files_of(big_tree.fetch(packages, name, versions[0])):
            if path.endswith(_TEXT):
                for line in content.splitlines():
                    text = line.strip()
                    if 12 <= len(text) <= 4_000:
                        yield text


def _edit(messages: Messages, number: int) -> None:
    for index in range(number, len(messages), _EVERY):
        key, text = messages[index]
        middle = len(text) // 2
        messages[index] = key, text[:middle] + b" (%d) " % number + text[middle:]


def _cdb(messages: Messages) -> bytes:
    import cdblib  # here, so that the other benchmarks do without

    file = io.BytesIO()
    with cdblib.Writer(file) as writer:
        for key, text in messages:
            writer.put(key, text)
    return file.getvalue()


if __name__ == "__main__":
    print(build(Path(sys.argv[2]) if len(sys.argv) > 2 else cache(), int(sys.argv[1])))
