"""Checks by machine what the linters cannot: ``python tools/house_rules.py`` prints every breach and exits 1.

Runs on the files that git knows and on those that it would add.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Rule:
    """One thing that must not be written.

    Attributes:
        why: what the reader of a breach is told.
        never: matched against each line.
        inside, outside: of the paths that the rule is about.
    """

    why: str
    never: re.Pattern[str]
    inside: re.Pattern[str] = re.compile("")
    outside: re.Pattern[str] = re.compile(r"^tools/house_rules\.py$|^LICENSE$")

    def covers(self, path: str) -> bool:
        """Whether the rule is about the file at ``path``."""
        return bool(self.inside.search(path)) and not self.outside.search(path)


PACKAGE = re.compile(r"^_utils/.*\.py$")
SHIPPED = re.compile(r"^_\w+/.*\.py$")

RULES = [
    Rule(
        "no shell: give an argument list", re.compile(r"shell\s*=\s*True|\bos\.(system|popen)\b|getoutput\(")
    ),
    Rule(
        "event tags are spelled in protocol/events.py only",
        re.compile(r"""["']deploy/(["'{%*]|.*["']\s*[%+])"""),
        inside=SHIPPED,
        outside=re.compile(r"/protocol/events\.py$"),
    ),
    Rule(
        "only git/command.py runs git",
        re.compile(r"""\[\s*["']git["']"""),
        inside=SHIPPED,
        outside=re.compile(r"/git/command\.py$"),
    ),
    Rule(
        "only layouts/activate.py makes a release live: call activate()",
        re.compile(r"\bswitch_link\b|\bdisk\.install\b"),
        inside=SHIPPED,
        outside=re.compile(r"/layouts/activate\.py$|/lib/disk\.py$"),
    ),
    Rule("no path of somebody's own machine", re.compile(r"(?<![\w.}])/(home|root|work|Users)/")),
    Rule(
        "say it in the field's words (docs/architecture.md has the glossary)",
        re.compile(
            r"made anew|\bled back from|cannot be meant|make nothing of|nobody new is asked|lay_open|laid_open"
        ),
    ),
    Rule("finish it or write it down as a limit", re.compile(r"\b(XXX|FIXME|TODO)\b")),
    Rule(
        "spaces at the end of the line",
        re.compile(r"[ \t]+$"),
        outside=re.compile(r"^LICENSE$|\.patch$|golden"),
    ),
]


def files() -> list[str]:
    """Paths of the checkout's own text files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    return [path for path in listed.split("\0") if path and (CHECKOUT / path).is_file()]


def breaches(path: str, text: str) -> list[str]:
    """What is wrong with one file, a line for each breach."""
    rules = [rule for rule in RULES if rule.covers(path)]
    return [
        f"{path}:{number}: {rule.why}: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), 1)
        for rule in rules
        if rule.never.search(line)
    ]


def shared_class_names(sources: Mapping[str, str]) -> list[str]:
    """Names that several classes of the package have, a line for each: one name, one concept.

    Args:
        sources: path -> text of each file.
    """
    places: dict[str, list[str]] = {}
    for path, text in sources.items():
        for name in re.findall(r"^class (\w+)", text, re.MULTILINE):
            places.setdefault(name, []).append(path)
    return [
        f"{', '.join(paths)}: give each class a name of its own: {name}"
        for name, paths in places.items()
        if len(paths) > 1
    ]


def main() -> int:
    """Print all breaches; return the exit status."""
    found = []
    package = {}
    for path in files():
        try:
            text = (CHECKOUT / path).read_text()
        except UnicodeDecodeError:
            continue  # not text
        found += breaches(path, text)
        if PACKAGE.match(path):
            package[path] = text
    found += shared_class_names(package)
    print("\n".join(found) or "house rules: kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
