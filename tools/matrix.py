"""What `make matrix` has seen: ``python -m tools.matrix RESULTS PAGE`` sums the runs up and writes the page's table of doors.

RESULTS holds files of pytest's for each Salt, ``<salt>.xml`` or ``<salt>-<part>.xml``. Exits 1 where a test failed, or where nothing ran.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- doors: begin -->", "<!-- doors: end -->"
#: What pytest writes below a test that did not pass, to the word for it.
_WORDS = {"failure": "fails", "error": "fails", "skipped": "not there"}
_WORKS = "works"
#: Of several tests of one door the worst is told.
_WORST = ("fails", "not there", _WORKS)


@dataclass(frozen=True)
class TestSeen:
    """How one test ended under one Salt.

    Attributes:
        door: the way that it takes into the extension, and the transport between master and minions; "" for another test.
    """

    salt: str
    name: str
    word: str
    door: str = ""
    transport: str = ""


def seen_in(results: Path) -> list[TestSeen]:
    """All tests of all Salts, in the order of the files' names."""
    return [test for file in sorted(results.glob("*.xml")) for test in _tests(file)]


def _tests(file: Path) -> Iterator[TestSeen]:
    for case in ElementTree.parse(file).iter("testcase"):
        words = [_WORDS[child.tag] for child in case if child.tag in _WORDS]
        said = {each.get("name"): each.get("value", "") for each in case.iter("property")}
        yield TestSeen(
            file.stem.partition("-")[0],
            f"{case.get('classname')}.{case.get('name')}",
            words[0] if words else _WORKS,
            said.get("door") or "",
            said.get("transport") or "",
        )


def table(tests: Iterable[TestSeen]) -> str:
    """The doors, each by each transport under each Salt, in Markdown."""
    tests = [test for test in tests if test.door]
    salts = sorted({test.salt for test in tests})
    rows = dict.fromkeys((test.door, test.transport) for test in tests)
    lines = [f"| door | transport | {' | '.join(salts)} |", f"|---|---|{'---|' * len(salts)}"]
    for door, transport in sorted(rows):
        found = [
            [t.word for t in tests if (t.door, t.transport, t.salt) == (door, transport, salt)]
            for salt in salts
        ]
        words = [next((word for word in _WORST if word in each), "not tried") for each in found]
        lines.append(f"| {door} | {transport} | {' | '.join(words)} |")
    return "\n".join(lines)


def written(page: str, inner: str) -> str:
    """The page with another table."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{inner}\n\n{END}{after}"


def sums(tests: Iterable[TestSeen]) -> Iterator[str]:
    """A line for each Salt, and one for each test that failed."""
    tests = list(tests)
    for salt in dict.fromkeys(test.salt for test in tests):
        words = [test.word for test in tests if test.salt == salt]
        yield f"{salt}: " + ", ".join(f"{words.count(word)} {word}" for word in _WORST[::-1] if word in words)
        yield from (f"  fails: {test.name}" for test in tests if test.salt == salt and test.word == "fails")


def main(results: str, page: str) -> int:
    """See the module."""
    tests = seen_in(Path(results))
    if not tests:
        print(f"no results in {results}. Next: make matrix", file=sys.stderr)
        return 1
    print(*sums(tests), sep="\n")
    if any(test.door for test in tests):
        place = Path(page)
        place.write_text(written(place.read_text(), table(tests)))
    return int(any(test.word == "fails" for test in tests))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
