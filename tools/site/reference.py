"""Makes the reference of all functions out of the docstrings of the doors: reStructuredText, one page a kind of door."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """One kind of door.

    Attributes:
        directory: where Salt finds it in a checkout.
        title: of the page.
        about: how one calls these.
    """

    directory: str
    title: str
    about: str


KINDS = (
    Kind(
        "_runners",
        "Functions of the runner",
        "On the master: ``salt-run deploy.<function>``, or ``saltdeploy <function>``.",
    ),
    Kind(
        "_modules",
        "Functions of minions",
        "``salt <target> deploy.<function>``, or ``salt-call`` on the host itself.",
    ),
    Kind("_states", "States", "In ``.sls`` files."),
)


@dataclass(frozen=True)
class Function:
    """A public function of a door.

    Attributes:
        name: as an operator types it, with the door's.
        arguments: its signature.
        text: its docstring, reStructuredText.
    """

    name: str
    arguments: str
    text: str

    def lines(self) -> Iterator[str]:
        """Its heading, and the directive that describes it."""
        yield from (self.name, "-" * len(self.name), "")
        # runner and minions have functions of the same name: an index would take one for the other
        yield from (f".. py:function:: {self.name}({self.arguments})", "   :no-index:", "")
        yield from (f"   {line}".rstrip() for line in self.text.splitlines())
        yield ""


def functions(door: Path) -> list[Function]:
    """The functions that Salt may call in a door, by name.

    Args:
        door: its file; it is read, not run.
    """
    tree = ast.parse(door.read_text("utf-8"))
    named = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("__load__", "__func_alias__", "__virtualname__")
    }
    aliases, loaded = named.get("__func_alias__", {}), named.get("__load__")
    found = []
    for node in tree.body:
        text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
        if not isinstance(node, ast.FunctionDef) or not text or node.name.startswith("_"):
            continue
        if loaded is None or node.name in loaded:
            name = f"{named.get('__virtualname__', door.stem)}.{aliases.get(node.name, node.name)}"
            found.append(Function(name, ast.unparse(node.args), inspect.cleandoc(text)))
    return sorted(found, key=lambda each: each.name)


def page(kind: Kind, checkout: Path) -> str:
    """The page of one kind of door."""
    lines = [kind.title, "=" * len(kind.title), "", kind.about, ""]
    for door in sorted((checkout / kind.directory).glob("*.py")):
        for function in functions(door):
            lines += function.lines()
    return "\n".join(lines)
