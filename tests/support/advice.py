"""Every command that the project tells people to type, read out of its own source.

Texts that a program makes are read with ``‹...›`` in place of what it fills in: ``salt-run deploy.report repo=‹name›``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOMS = (
    "_utils",
    "_runners",
    "_modules",
    "_states",
    "_engines",
    "_returners",
    "_output",
    "_pillar",
    "_fileserver",
)
_CALL = re.compile(
    r"(?P<program>salt-run|salt-call(?: --local)?|salt (?:-L |-C |-G |-N )?(?:'[^']*'|\S+)) (?P<function>[a-z_]+\.[a-z_0-9]+)"
    r"(?P<rest>[^;]*)"
)
_WORD = re.compile(r"""\s+((?:[a-z_]+=)?(?:"[^"]*"|'[^']*'|‹[^›]*›|[^\s'"‹,;()])+)""")
_PLACEHOLDER = re.compile(r"""(?:[a-z_]+=)?["']?(?:\.\.\.|[A-Z][A-Z_]*)["']?""")


@dataclass(frozen=True)
class Command:
    """A command in a text.

    Attributes:
        place: the file, below the checkout, and the line.
        program: ``salt-run``, ``salt`` or ``salt-call``.
        function: ``deploy.sync``.
        positional: words without a name.
        named: the names of arguments.
        open: words that whoever types it has to replace.
    """

    place: str
    program: str
    function: str
    positional: tuple[str, ...]
    named: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def file(self) -> str:
        """Without the line."""
        return self.place.partition(":")[0]


def commands(checkout: Path) -> list[Command]:
    """All commands of Salt's programs in all texts of the package and its doors."""
    return [command for place, text in texts(checkout) for command in commands_in(text, place)]


def commands_in(text: str, place: str = "") -> Iterator[Command]:
    """The commands in one text."""
    for found in _CALL.finditer(text):
        words = []
        rest = found["rest"]
        while (word := _WORD.match(rest)) is not None and _is_argument(word[1]):
            words.append(word[1].rstrip("." if not word[1].endswith("...") else ""))
            rest = rest[word.end() :]
        yield Command(
            place,
            found["program"].split()[0],
            found["function"],
            tuple(word for word in words if not re.match(r"[a-z_]+=", word)),
            tuple(word.partition("=")[0] for word in words if re.match(r"[a-z_]+=", word)),
            tuple(word for word in words if _PLACEHOLDER.fullmatch(word)),
        )


def _is_argument(word: str) -> bool:
    """Not a word of the sentence around the command."""
    return "=" in word or word[0] in "‹'\"" or _PLACEHOLDER.fullmatch(word) is not None


def texts(checkout: Path) -> Iterator[tuple[str, str]]:
    """Each text in the source that is no docstring, and its place."""
    for room in ROOMS:
        for file in sorted((checkout / room).rglob("*.py")):
            tree = ast.parse(file.read_text())
            passed_over = _docstrings(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    passed_over |= {
                        id(part)
                        for part in ast.walk(node)
                        if part is not node and isinstance(part, (ast.Constant, ast.JoinedStr))
                    }
            for node in ast.walk(tree):
                if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in passed_over:
                    text = _as_text(node)
                    if " " in text:
                        yield f"{file.relative_to(checkout)}:{node.lineno}", text


def _docstrings(tree: ast.Module) -> set[int]:
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }


def _as_text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_as_text, node.values))
    if isinstance(node, ast.FormattedValue):
        value = node.value
        if (
            isinstance(value, ast.Call)
            and getattr(value.func, "id", "") == "argument"
            and isinstance(value.args[0], ast.Constant)
        ):
            return f"{value.args[0].value}=‹value›"  # saltdeploy.lib.spelling
        return "‹" + re.sub(r"[\s›'\";]", "_", ast.unparse(value)) + "›"
    return ""
