"""Lets an operator choose one of a few things at a terminal, by its number or its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

_TRIES = 3


def choose(given: TextIO, shown: TextIO, heading: str, rows: Sequence[tuple[str, str]], default: str) -> str:
    """Ask which one; "" when nobody gives an answer that counts.

    Args:
        given, shown: the terminal.
        rows: each thing by its name, with what there is to say of it.
        default: the name that an empty line means; "" where it means none.
    """
    names = [name for name, _ in rows]
    width = max(map(len, names), default=0)
    print(heading, file=shown)
    for number, (name, text) in enumerate(rows, 1):
        print(f"  {number}  {name:<{width}}  {text}".rstrip(), file=shown)
    hint = f" (Enter: {default})" if default else ""
    for _ in range(_TRIES):
        print(f"Number or tag{hint}, or q: ", end="", file=shown, flush=True)
        line = given.readline()
        said = line.strip()
        if not line or said == "q":
            return ""
        if not said and default:
            return default
        if said in names:
            return said
        if said.isdecimal() and 1 <= int(said) <= len(names):
            return names[int(said) - 1]
        print(f"{said!r} is none of them", file=shown)
    return ""
