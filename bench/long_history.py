"""Build a git repository of 9,269 real files with 17,000 commits, and tags ``v1`` to ``v11`` on the last ones.

The files are real (npm packages, as in ``big_tree``). **The history is synthetic**: each commit inserts or deletes
a line in one to three files, chosen by a random generator with a fixed seed, so everybody gets the same commits.
``v1`` is commit 16,990 of them; each later tag is one commit further.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import IO

from bench import big_tree

COMMITS, TAGS = 17_000, 11
PACKAGES = (("@mui/material", "5.13.0"), ("antd", "5.5.0"), ("lodash", "4.17.20"), ("rxjs", "7.8.0"))


def build(directory: Path) -> Path:
    """Make the repository, unless it is there already; return the bare repository."""
    repository = directory / "history.git"
    if not (repository / "complete").exists():
        archives = {name: big_tree.fetch(directory / "packages", name, version) for name, version in PACKAGES}
        big_tree.import_history(repository, lambda out: _write(out, archives))
    return repository


def _write(out: IO[bytes], archives: dict[str, Path]) -> None:
    contents: dict[bytes, list[bytes]] = {}
    big_tree.begin_commit(out, 1, "The packages")
    for name, archive in archives.items():
        for path, mode, content in big_tree.files_of(archive):
            place = b"%s/%s" % (name.encode(), path)
            big_tree.put_file(out, place, mode, content)
            if mode == "100644" and path.endswith((b".js", b".ts")) and len(content) < 20_000:
                contents[place] = content.splitlines(keepends=True)
    dice = random.Random(17)
    paths = sorted(contents)
    for number in range(2, COMMITS + 1):
        big_tree.begin_commit(out, number, f"Change {number}")
        for path in dice.sample(paths, dice.randint(1, 3)):
            lines = contents[path]
            where = dice.randrange(len(lines) + 1)
            if len(lines) > 5 and dice.random() < 0.4:
                del lines[min(where, len(lines) - 1)]
            else:
                lines.insert(where, b"// change %d, %08x\n" % (number, dice.getrandbits(32)))
            big_tree.put_file(out, path, "100644", b"".join(lines))
        if number >= COMMITS - TAGS + 1:
            big_tree.tag(out, f"v{number - (COMMITS - TAGS)}")
